"""The worker's jail: no network, no files, no other programs, bounded memory, enforced by the operating system.

`enter` picks the backend of this system: `linux` (with `landlock`, `seccomp` and `syscalls`), `macos` or `windows`.
`window` is the wider jail of a process that shows a window. `probe` tries what the jail must refuse. `limited_pipe`
takes what a jailed process prints. This wing imports nothing else of `watcher`; `worker` enters the jail, and
`nobg doctor` tests it through the worker.
"""
