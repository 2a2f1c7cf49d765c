"""Watched folders, and the pictures that the arguments of `nobg remove` stand for.

Events of the file system are hints; sweeps find what the events missed; a file becomes a job once it has settled.
`program`, `desktop` and `cli` may import this wing; it imports `queue`, `config` and the modules below them.
"""
