"""A run's answers in the forms that other programs and the benchmarks' servers read."""
