"""Attacks on nobg, as tests: what a hostile picture, package or worker may cost, and what it may not do."""
