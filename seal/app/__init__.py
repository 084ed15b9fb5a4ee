"""The page to search with: drop a picture, ask, and watch."""
