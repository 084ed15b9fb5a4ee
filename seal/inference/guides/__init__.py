"""Guides: networks behind the search's protocol."""
