"""Attacks on nobg: what a worker that has been taken over tries, in the real jail."""
