"""The small world: everything of the real system at a size that a laptop trains in minutes."""
