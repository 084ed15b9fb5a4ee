"""Answer models: from a visual working memory to options or words."""
