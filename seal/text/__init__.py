"""Text: tokens, templates, every fixed sentence, and phrases taken out of sentences."""
