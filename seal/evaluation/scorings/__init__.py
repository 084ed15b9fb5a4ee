"""Scorings: how a benchmark's question is put, and how what comes back is read."""
