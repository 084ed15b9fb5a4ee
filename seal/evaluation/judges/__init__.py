"""Language models that grade answers in words, where a benchmark asks for one."""
