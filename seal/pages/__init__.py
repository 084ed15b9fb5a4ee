"""Pages of results: one template for reports, previews, failures; each is one file to look at."""
