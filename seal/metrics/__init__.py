"""Metrics: pure functions from outcomes to numbers with intervals."""
