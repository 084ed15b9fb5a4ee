"""What comes out of a build: the set, its report, and how a built set is checked and shown."""
