"""ViCrop: where a multimodal LLM looks for the answer to a question, as a locator."""
