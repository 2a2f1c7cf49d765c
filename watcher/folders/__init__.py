"""What a person names or drops: watched folders, and the pictures meant by `nobg remove`.

Events of the file system are hints; sweeps make the list complete; a file counts once it has settled. `program`,
`desktop` and `cli` may import this wing; it imports `queue` and the modules at the top of `watcher`.
"""
