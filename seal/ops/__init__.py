"""Arithmetic on tensors that several layers share."""
