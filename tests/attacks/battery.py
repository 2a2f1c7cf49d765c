"""What a worker that has been taken over might try. It runs in the jail, where no module can be imported any more.

The numbers of the calls are those of x86_64. They are written here anew, and not taken from watcher/jail.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import errno
import os
import struct
import threading
from collections.abc import Callable

OWN, MINE = 0, 0
SIGKILL = 9
AT_FDCWD = -100
ANY_FILE, NEW_FILE = b"/etc/passwd", b"/tmp/nobg-attack"
PRIO_PROCESS, PRIO_PGRP, PRIO_USER = 0, 1, 2
FCNTL, IOCTL, PRCTL, SETPRIORITY, PRLIMIT = 72, 16, 157, 141, 302
X32 = 0x40000000
GIB = 1 << 30
MANY_THREADS, MANY_FILES, LOG_BYTES = 2000, 500, 8 << 20

_libc = ctypes.CDLL(None, use_errno=True)
_buffer = ctypes.create_string_buffer(4096)

Call = tuple[int | bytes | ctypes.Array[ctypes.c_char], ...]


def calls(victim: int, file: int) -> dict[str, Call]:
    """Return system calls that must all be refused: number and arguments.

    `victim`: another process of the same user. `file`: the descriptor of a regular file. Where a jail has a hole, the
    calls harm the victim and the worker, and change nothing for other processes of the user.
    """
    me = os.getpid()
    return {
        # files
        "open": (2, ANY_FILE, 0),
        "creat": (85, NEW_FILE, 0o644),
        "openat": (257, AT_FDCWD, ANY_FILE, 0),
        "openat of a descriptor in /proc": (257, AT_FDCWD, b"/proc/self/fd/2", 2),
        "openat with O_PATH": (257, AT_FDCWD, ANY_FILE, 0o10000000),
        "openat with O_TMPFILE": (257, AT_FDCWD, b"/tmp", 0o20200002, 0o600),
        "openat2": (437, AT_FDCWD, ANY_FILE, _buffer, 24),
        "name_to_handle_at": (303, AT_FDCWD, ANY_FILE, _buffer, _buffer, 0),
        "open_by_handle_at": (304, AT_FDCWD, _buffer, 0),
        "truncate": (76, NEW_FILE, 0),
        "unlink": (87, NEW_FILE),
        "rename": (82, NEW_FILE, NEW_FILE),
        "readlink": (89, b"/proc/self/exe", _buffer, 100),
        "chdir": (80, b"/tmp"),
        "chroot": (161, b"/"),
        "getxattr": (191, ANY_FILE, b"user.x", _buffer, 16),
        "inotify_add_watch": (254, 0, b"/tmp", 2),
        "fanotify_init": (300, 0, 0),
        "uselib": (134, b"/lib/x86_64-linux-gnu/libc.so.6"),
        "memfd_create": (319, b"x", 0),
        "memfd_secret": (447, 0),
        "mount": (165, b"x", b"/tmp", b"tmpfs", 0, 0),
        "fsopen": (430, b"tmpfs", 0),
        "open_tree": (428, AT_FDCWD, b"/", 1),
        "move_mount": (429, -1, b"", -1, b"", 0),
        "fsmount": (432, 0, 0, 0),
        "pivot_root": (155, b"/", b"/"),
        "listmount": (458, _buffer, _buffer, 16, 0),
        "statmount": (457, _buffer, _buffer, 512, 0),
        "quotactl_fd": (443, 0, 0, 0, 0),
        # asynchronous calls, which no filter sees
        "io_uring_setup": (425, 4, _buffer),
        # programs
        "fork": (57,),
        "vfork by clone": (56, 0x4111, 0, 0, 0, 0),
        "fork by clone": (56, 17, 0, 0, 0, 0),
        "clone3": (435, _buffer, 88),
        "a thread in a namespace of its own": (56, 0x3D0F00 | 0x20000, 0, 0, 0, 0),
        "execve": (59, b"/bin/true", 0, 0),
        "execveat of a descriptor": (322, file, b"", 0, 0, 0x1000),
        # other processes
        "kill": (62, victim, SIGKILL),
        "kill all of mine": (62, -1, 0),
        "tkill": (200, victim, SIGKILL),
        "tgkill": (234, victim, victim, SIGKILL),
        "tgkill with high bits": (234, (1 << 32) | victim, victim, SIGKILL),
        "rt_sigqueueinfo": (129, victim, SIGKILL, _buffer),
        "rt_tgsigqueueinfo": (297, victim, victim, SIGKILL, _buffer),
        "pidfd_open": (434, victim, 0),
        "pidfd_getfd": (438, 3, 0, 0),
        "pidfd_send_signal": (424, 3, SIGKILL, 0, 0),
        "ptrace": (101, 16, victim, 0, 0),
        "process_vm_readv": (310, victim, _buffer, 1, _buffer, 1, 0),
        "process_vm_writev": (311, victim, _buffer, 1, _buffer, 1, 0),
        "process_madvise": (440, 3, _buffer, 1, 4, 0),
        "kcmp": (312, me, victim, 0, 0, 0),
        "prlimit of another": (PRLIMIT, victim, 7, 0, _buffer),
        "setpriority of another": (SETPRIORITY, PRIO_PROCESS, victim, 19),
        "setpriority of the group": (SETPRIORITY, PRIO_PGRP, OWN, 19),
        "setpriority of all of mine": (SETPRIORITY, PRIO_USER, MINE, 0),
        "ioprio_set of all of mine": (251, 3, 0, 0),
        "sched_setaffinity of another": (203, victim, 8, _buffer),
        "sched_setscheduler of another": (144, victim, 5, _buffer),
        "migrate_pages of another": (256, victim, 8, _buffer, _buffer),
        "setpgid of another": (109, victim, victim),
        "setsid": (112,),
        "get_robust_list of another": (274, victim, _buffer, _buffer),
        # signals that the kernel sends on the worker's behalf
        "F_SETOWN": (FCNTL, file, 8, victim),
        "F_SETSIG": (FCNTL, file, 10, SIGKILL),
        "F_SETOWN_EX": (FCNTL, file, 15, struct.pack("ii", 1, victim)),
        "F_SETLEASE": (FCNTL, file, 1024, 1),
        "F_NOTIFY": (FCNTL, file, 1026, 2),
        "O_ASYNC": (FCNTL, 0, 4, 0o20000),
        "FIOASYNC": (IOCTL, 0, 0x5452, struct.pack("i", 1)),
        "FIOSETOWN": (IOCTL, 0, 0x8901, struct.pack("i", victim)),
        "SIOCSPGRP": (IOCTL, 0, 0x8902, struct.pack("i", victim)),
        "TIOCSTI": (IOCTL, 0, 0x5412, b"x"),
        "a lock on a file": (FCNTL, file, 6, bytes(32)),
        "F_SETPIPE_SZ": (FCNTL, 0, 1031, 1 << 20),
        "mq_open": (240, b"x", 0o102, 0o600, 0),
        # what bounds the worker
        "prctl PR_SET_PDEATHSIG": (PRCTL, 1, 0, 0, 0, 0),
        "prctl PR_SET_DUMPABLE": (PRCTL, 4, 1, 0, 0, 0),
        "prctl PR_SET_PTRACER": (PRCTL, 0x59616D61, -1, 0, 0, 0),
        "prctl PR_SET_CHILD_SUBREAPER": (PRCTL, 36, 1, 0, 0, 0),
        "prlimit of its own memory": (PRLIMIT, 0, 9, struct.pack("QQ", 64 * GIB, 64 * GIB), 0),
        "setrlimit of its own memory": (160, 9, struct.pack("QQ", 64 * GIB, 64 * GIB)),
        "seccomp": (317, 1, 8, _buffer),
        "landlock_restrict_self": (446, -1, 0),
        "setresuid": (117, -1, -1, -1),
        "setfsgid": (123, os.getgid()),
        "capset": (126, _buffer, _buffer),
        "personality": (135, 0x0040000),
        "unshare": (272, 0x10000000),
        "setns": (308, 0, 0),
        # the network, and shared memory
        "socketpair": (53, 1, 1, 0, _buffer),
        "shmget": (29, 0, 4096, 0o1600),
        "semget": (64, 0, 1, 0o1600),
        "msgget": (68, 0, 0o1600),
        **{f"socket of family {family}": (41, family, 1, 0) for family in (*range(1, 47),)},
        # the x32 ABI
        "x32 open": (X32 + 2, ANY_FILE, 0),
        "x32 socket": (X32 + 41, 2, 1, 0),
        "x32 execve": (X32 + 520, b"/bin/true", 0, 0),
        # the system
        "userfaultfd": (323, 0),
        "bpf": (321, 0, _buffer, 64),
        "perf_event_open": (298, _buffer, 0, -1, -1, 0),
        "keyctl": (250, 0, -3, 1),
        "add_key": (248, b"user", b"x", b"y", 1, -3),
        "request_key": (249, b"user", b"x", 0, 0),
        "syslog": (103, 3, _buffer, 4096),
        "iopl": (172, 3),
        "sethostname": (170, b"x", 1),
        "clock_settime": (227, 0, _buffer),
        "vhangup": (153,),
    }


def run(victim: int, file: int) -> dict[str, str]:
    """Try everything; return the name of each error, or "ok", or what was possible."""
    outcomes = {name: outcome(arguments) for name, arguments in calls(victim, file).items()}
    outcomes["a signal by F_SETOWN and F_SETSIG"] = _signal_by_pipe(victim)
    outcomes["more in a file"] = _attempt(lambda: os.write(file, b"x"))
    outcomes["a longer file"] = _attempt(lambda: os.ftruncate(file, GIB))
    outcomes["20 GiB reserved for a file"] = outcome((285, file, 1, 0, 20 * GIB))
    outcomes["20 GiB reserved for the log"] = outcome((285, 2, 1, 0, 20 * GIB))
    outcomes["descriptors"] = str(_count_descriptors())
    outcomes["threads"] = str(_count_threads())
    for _ in range(LOG_BYTES >> 12):
        os.write(2, b"x" * 4095 + b"\n")
    return outcomes


def outcome(arguments: Call) -> str:
    """Make the system call; return the name of its error, or "ok"."""
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    ctypes.set_errno(0)
    if _libc.syscall(*values) >= 0:
        return "ok"
    return errno.errorcode.get(ctypes.get_errno(), "?")


def _attempt(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return "ok"


def _signal_by_pipe(victim: int) -> str:
    """Have the kernel send SIGKILL when a pipe becomes readable. Before Landlock 6, nothing but seccomp stops that."""
    read_end, write_end = os.pipe()
    outcomes = [outcome((FCNTL, read_end, 8, victim)), outcome((FCNTL, read_end, 10, SIGKILL))]
    outcomes.append(outcome((FCNTL, read_end, 4, 0o20000)))
    os.write(write_end, b"x")
    os.close(read_end)
    os.close(write_end)
    return "ok" if "ok" in outcomes else outcomes[0]


def _count_descriptors() -> int:
    copies: list[int] = []
    with contextlib.suppress(OSError):
        while len(copies) < MANY_FILES:
            copies.append(os.dup(1))
    for copy in copies:
        os.close(copy)
    return len(copies)


def _count_threads() -> int:
    end = threading.Event()
    usual_size = threading.stack_size(64 << 10)
    count = 0
    with contextlib.suppress(RuntimeError):
        while count < MANY_THREADS:
            _thread.start_new_thread(end.wait, ())
            count += 1
    threading.stack_size(usual_size)
    end.set()
    return count
