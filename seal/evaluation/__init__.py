"""Evaluation: questions put to systems, answers kept on disk, numbers and tables made of those."""
