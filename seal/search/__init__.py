"""The search: pure Python and numpy. No network library is imported here."""
