"""Referring expressions (RefCOCO, RefCOCO+, RefCOCOg), each put to a guide on the whole image."""
