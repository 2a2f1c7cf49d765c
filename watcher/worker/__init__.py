"""The jailed worker process, and everything in the parent process that works with it.

In the worker: `process` starts it and enters the jail; `pipeline` decodes, infers and encodes. In the parent, which
never decodes a picture: `dispatch` (with `tasks` and `publish`) takes jobs through the worker, and `supervisor` starts,
feeds and ends the process. Both sides use `protocol`. `model_files` (with `model_packages`) installs models; `trial`
runs an unknown model once, in a jail of its own.

`api`, `program`, `desktop` and `cli` may import this wing; it imports `matting`, `picture`, `queue`, `config`, `jail`
and the modules at the top of `watcher`.
"""
