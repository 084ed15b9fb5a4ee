"""Makers of the VQA LLM's records: questions, answers and the crops that belong to them."""
