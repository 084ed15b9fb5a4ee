"""Getting public files: what there is, where it lies, fetching and unpacking it."""
