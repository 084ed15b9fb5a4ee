"""Answers of other systems, as their programs and the benchmarks' own tools record them."""
