"""The jailed worker process, and everything that feeds it from outside.

`process` runs inside the jail: decode, infer, encode. `supervisor`, `dispatch` and the rest run in the parent and never
decode a picture; both sides share `protocol`. `api`, `program`, `desktop` and `cli` may import this wing; it imports `matting`,
`picture`, `queue`, `jail` and the modules at the top of `watcher`.
"""
