"""Files on disk: whose they are, what is in them, and who may write them."""
