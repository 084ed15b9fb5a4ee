"""Sources: the rows of a benchmark, whatever file or hub holds them; pictures stay unread."""
