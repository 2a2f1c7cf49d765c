"""jobs.db: the journal of every job, the queue that the resident program works through, and undo.

This wing knows sources, outputs and recipes as paths and JSON, and no pixels. The right-click client loads `store`, so
that module imports the standard library only. `worker`, `folders`, `program`, `desktop` and `cli` may import this wing;
it imports only the modules at the top of `watcher`.
"""
