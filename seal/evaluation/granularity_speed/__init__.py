"""What a level of granularity saves, and what the router that chooses it costs."""
