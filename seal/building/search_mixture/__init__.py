"""Makers of the search model's records that no detection set gives: phrases and places."""
