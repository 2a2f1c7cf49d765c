"""The walls around the worker: no network, no files, no other programs, bounded memory, by the kernel's means.

`enter` picks the backend; there is one for each system. This wing imports nothing of `watcher`; `worker` enters the jail,
and `cli` (`nobg doctor`) tests it through the worker.
"""
