"""The server: show, search and tell behind the interface of OpenAI."""
