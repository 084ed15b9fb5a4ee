"""OpenAI-compatible servers: the address, requests that are repeated on faults, answers kept."""
