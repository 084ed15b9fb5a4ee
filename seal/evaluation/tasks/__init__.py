"""Tasks: one benchmark a file, or a file for what it is read from."""
