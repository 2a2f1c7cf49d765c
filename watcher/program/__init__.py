"""The resident program, and what commands and clicks do, without any text for a terminal or a desktop.

`cli` and `desktop` may import this wing; it imports `worker`, `folders`, `queue`, `config` and what is below these.
"""
