"""The real worker in its jail, taken over: instead of the probe, it runs what its arguments say.

`python attacked.py LANDLOCK LIBC VICTIM ATTACK MODE`. LANDLOCK: the newest version of it that the kernel has; LIBC:
`glibc` or `other`; VICTIM: the id of another process of the same user; ATTACK: `battery`, or `outlive`, which tries to
live longer than the parent. As root, it becomes the user `nobody` just before the jail.
"""

import os
import sys
import tempfile
import time

from tests.attacks import battery
from watcher.jail import enter, landlock, linux, seccomp
from watcher.jail.layer import Layer
from watcher.worker import process

NOBODY = 65534

landlock_version, libc, victim, attack = sys.argv[1:5]
del sys.argv[1:5]
real_version, real_enter = landlock.kernel_version, enter.enter_before_threads
file = tempfile.TemporaryFile()  # noqa: SIM115  it stays open, as a file that a library forgot


def enter_as_an_ordinary_user(model_memory: int = 0, *, accelerated: bool = False) -> list[Layer]:
    """Stand in for `enter.enter_before_threads`."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    return real_enter(model_memory, accelerated=accelerated)


def try_the_battery(_message: object) -> dict[str, str]:
    """Stand in for `probe`."""
    return battery.run(int(victim), file.fileno())


def try_to_outlive(_message: object) -> dict[str, str]:
    """Stand in for `probe`, and do not return. The parent's end would end a worker that reads its input."""
    for arguments in ((157, 1, 0, 0, 0, 0), (123, 0), (117, -1, -1, -1), (112,)):
        battery.outcome(arguments)
    os.write(2, b"attacked\n")
    while True:
        time.sleep(60)


landlock.kernel_version = lambda: min(real_version(), int(landlock_version))
linux.THREADS_BEYOND = 64
enter.enter_before_threads = enter_as_an_ordinary_user
if libc != "glibc":
    seccomp._libc_is_glibc = lambda: False
attacks = {"battery": try_the_battery, "outlive": try_to_outlive}
process.probe = attacks[attack]  # type: ignore[attr-defined, assignment]

import tests.support.workers.no_network  # noqa: E402, F401  its networks, and its call of process.main()
