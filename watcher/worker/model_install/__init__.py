"""Models that a person adds: recognised in a file or a package, tried out, copied."""
