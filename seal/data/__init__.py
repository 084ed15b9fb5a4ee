"""Records on disk, and how records become samples, batches and one endless mixture."""
