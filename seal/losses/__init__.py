"""Losses of both models: matching, boxes, masks, words."""
