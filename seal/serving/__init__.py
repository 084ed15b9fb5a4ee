"""An OpenAI-compatible server whose answers come from show, search and tell (`seal serve`)."""
