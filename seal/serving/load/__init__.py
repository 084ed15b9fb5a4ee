"""A load test of a server: how many questions it answers a second, and whether all and alike."""
