"""Models on disk: our layout and the authors', read and written tensor by tensor."""
