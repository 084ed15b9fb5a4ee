"""Networks behind the protocols of the pipeline and of the search."""
