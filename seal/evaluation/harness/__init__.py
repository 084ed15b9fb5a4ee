"""SEAL as a model of other people's evaluation harnesses."""
