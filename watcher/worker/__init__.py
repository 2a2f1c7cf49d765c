"""The jailed worker process, and everything in the parent process that works with it.

In the worker: `process` starts it and enters the jail; `pipeline` decodes, infers and encodes. In the parent, which
never decodes a picture: `dispatch` (with `tasks` and `publish`) takes jobs through the worker, and `supervisor` starts,
feeds and ends the process. `answers` checks what the worker says. Both sides use `protocol`. `model_install` installs
models; its `trial` runs an unknown model once, in a jail of its own.

`api`, `program`, `desktop` and `cli` may import this wing; it imports `matting`, `picture`, `queue`, `settings`, `jail`
and the modules at the top of `watcher`.
"""
