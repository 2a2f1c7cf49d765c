"""The benchmarks: what they measure is right, and no wait is without an end."""
