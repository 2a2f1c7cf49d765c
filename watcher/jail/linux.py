"""The jail on Linux: Landlock, a seccomp filter, resource limits; from ctypes, without privileges or namespaces.

Sources: landlock(7) and linux/landlock.h; seccomp(2), linux/seccomp.h, linux/filter.h, linux/audit.h; the syscall
tables arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of the kernel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from dataclasses import dataclass

from watcher.jail.enter import MEMORY_LIMIT_BYTES, Layer

if sys.platform == "linux":
    import resource

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_CREATE_RULESET_VERSION = 1
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1
_CLONE_THREAD = 0x00010000


@dataclass(frozen=True)
class Architecture:
    """What differs between processors: the audit name of the ABI and the numbers of the calls we refuse."""

    audit_arch: int
    seccomp: int
    clone: int
    clone3: int
    tgkill: int
    prlimit64: int
    setpriority: int
    refused_calls: dict[str, int]


# Calls that reach another program, another file or the network. Threads, memory, clocks and the open pipes stay.
_REFUSED_ON_ALL = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsmount": 432,
    "pidfd_open": 434,
    "openat2": 437,
    "pidfd_getfd": 438,
    "fsconfig": 431,
    "fspick": 433,
    "mount_setattr": 442,
    "fchmodat2": 452,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "open_tree_attr": 467,
    "file_getattr": 468,
    "file_setattr": 469,
}
_X86_64 = Architecture(
    audit_arch=0xC000003E,
    seccomp=317,
    clone=56,
    clone3=435,
    tgkill=234,
    prlimit64=302,
    setpriority=141,
    refused_calls=_REFUSED_ON_ALL
    | {
        # network and other ways to talk
        "socket": 41,
        "connect": 42,
        "accept": 43,
        "sendto": 44,
        "sendmsg": 46,
        "bind": 49,
        "listen": 50,
        "socketpair": 53,
        "accept4": 288,
        "sendmmsg": 307,
        "shmget": 29,
        "shmat": 30,
        "semget": 64,
        "msgget": 68,
        "mq_open": 240,
        # files
        "open": 2,
        "creat": 85,
        "openat": 257,
        "truncate": 76,
        "rename": 82,
        "mkdir": 83,
        "rmdir": 84,
        "link": 86,
        "unlink": 87,
        "symlink": 88,
        "readlink": 89,
        "chmod": 90,
        "chown": 92,
        "lchown": 94,
        "utime": 132,
        "mknod": 133,
        "setxattr": 188,
        "lsetxattr": 189,
        "removexattr": 197,
        "lremovexattr": 198,
        "utimes": 235,
        "mkdirat": 258,
        "mknodat": 259,
        "fchownat": 260,
        "futimesat": 261,
        "unlinkat": 263,
        "renameat": 264,
        "linkat": 265,
        "symlinkat": 266,
        "readlinkat": 267,
        "fchmodat": 268,
        "utimensat": 280,
        "name_to_handle_at": 303,
        "open_by_handle_at": 304,
        "renameat2": 316,
        # programs, other processes, the system
        "fork": 57,
        "vfork": 58,
        "execve": 59,
        "execveat": 322,
        "kill": 62,
        "tkill": 200,
        "ptrace": 101,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "pivot_root": 155,
        "chroot": 161,
        "mount": 165,
        "umount2": 166,
        "reboot": 169,
        "init_module": 175,
        "delete_module": 176,
        "kexec_load": 246,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "unshare": 272,
        "perf_event_open": 298,
        "setns": 308,
        "finit_module": 313,
        "bpf": 321,
        "userfaultfd": 323,
        "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297,
        "msgsnd": 69,
        "msgrcv": 70,
        "msgctl": 71,
        "semop": 65,
        "semctl": 66,
        "semtimedop": 220,
        "shmctl": 31,
        "mq_unlink": 241,
        "getxattr": 191,
        "lgetxattr": 192,
        "listxattr": 194,
        "llistxattr": 195,
        "inotify_add_watch": 254,
        "fanotify_init": 300,
        "fanotify_mark": 301,
        "kcmp": 312,
        "migrate_pages": 256,
        "move_pages": 279,
        "ioprio_set": 251,
        "acct": 163,
        "swapon": 167,
        "quotactl": 179,
        "kexec_file_load": 320,
        "sched_setparam": 142,
        "sched_setscheduler": 144,
        "sched_setaffinity": 203,
        "sched_setattr": 314,
    },
)
_AARCH64 = Architecture(
    audit_arch=0xC00000B7,
    seccomp=277,
    clone=220,
    clone3=435,
    tgkill=131,
    prlimit64=261,
    setpriority=140,
    refused_calls=_REFUSED_ON_ALL
    | {
        "socket": 198,
        "socketpair": 199,
        "bind": 200,
        "listen": 201,
        "accept": 202,
        "connect": 203,
        "sendto": 206,
        "sendmsg": 211,
        "accept4": 242,
        "sendmmsg": 269,
        "mq_open": 180,
        "msgget": 186,
        "semget": 190,
        "shmget": 194,
        "shmat": 196,
        "setxattr": 5,
        "lsetxattr": 6,
        "removexattr": 14,
        "lremovexattr": 15,
        "mknodat": 33,
        "mkdirat": 34,
        "unlinkat": 35,
        "symlinkat": 36,
        "linkat": 37,
        "renameat": 38,
        "truncate": 45,
        "fchmodat": 53,
        "fchownat": 54,
        "openat": 56,
        "readlinkat": 78,
        "utimensat": 88,
        "name_to_handle_at": 264,
        "open_by_handle_at": 265,
        "renameat2": 276,
        "umount2": 39,
        "mount": 40,
        "pivot_root": 41,
        "chroot": 51,
        "unshare": 97,
        "kexec_load": 104,
        "init_module": 105,
        "delete_module": 106,
        "ptrace": 117,
        "kill": 129,
        "tkill": 130,
        "reboot": 142,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "execve": 221,
        "perf_event_open": 241,
        "setns": 268,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "finit_module": 273,
        "bpf": 280,
        "execveat": 281,
        "userfaultfd": 282,
        "rt_sigqueueinfo": 138,
        "rt_tgsigqueueinfo": 240,
        "msgsnd": 189,
        "msgrcv": 188,
        "msgctl": 187,
        "semop": 193,
        "semctl": 191,
        "semtimedop": 192,
        "shmctl": 195,
        "mq_unlink": 181,
        "getxattr": 8,
        "lgetxattr": 9,
        "listxattr": 11,
        "llistxattr": 12,
        "inotify_add_watch": 27,
        "fanotify_init": 262,
        "fanotify_mark": 263,
        "kcmp": 272,
        "migrate_pages": 238,
        "move_pages": 239,
        "ioprio_set": 30,
        "acct": 89,
        "swapon": 224,
        "quotactl": 60,
        "kexec_file_load": 294,
        "sched_setparam": 118,
        "sched_setscheduler": 119,
        "sched_setaffinity": 122,
        "sched_setattr": 274,
    },
)
ARCHITECTURES = {"x86_64": _X86_64, "aarch64": _AARCH64}

_libc = ctypes.CDLL(None, use_errno=True)


def enter_before_threads(memory: int = MEMORY_LIMIT_BYTES, *, accelerated: bool = False) -> list[Layer]:
    """The limits (they need a last look into /proc), and Landlock, which binds this thread and those it starts.

    `accelerated`: an accelerator's threads run already. Seccomp keeps files from them; pictures are decoded by others.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # whoever started us is gone: nobody wants the answer
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    return [set_resource_limits(memory), enter_landlock(accelerated=accelerated)]


def enter_with_threads(_memory: int = MEMORY_LIMIT_BYTES) -> list[Layer]:
    """Seccomp, for all threads at once."""
    _prctl(_PR_SET_DUMPABLE, 0)  # no other process of this person may read our memory
    return [enter_seccomp()]


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")


def enter_landlock(*, accelerated: bool = False) -> Layer:
    """Deny every file, and what else this kernel's Landlock knows: TCP, abstract sockets, signals to others."""
    name = "files"
    if len(os.listdir("/proc/self/task")) > 1 and not accelerated:
        return Layer(name, active=False, detail="Landlock: other threads were running already")
    version = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_CREATE_RULESET_VERSION)
    if version < 1:
        return Layer(name, active=False, detail="Landlock: this kernel has none (Linux 5.13 or newer has)")
    attributes = ruleset(version)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    rules = _libc.syscall(_LANDLOCK_CREATE_RULESET, buffer, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return Layer(name, active=False, detail=f"Landlock: {os.strerror(ctypes.get_errno())}")
    try:
        if _libc.syscall(_LANDLOCK_RESTRICT_SELF, rules, 0) != 0:
            return Layer(name, active=False, detail=f"Landlock: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(rules)
    whom = " by what reads pictures (the accelerator's own threads are held by seccomp alone)" if accelerated else ""
    return Layer(name, active=True, detail=f"Landlock version {version}: no file can be opened{whom}")


def ruleset(version: int) -> bytes:
    """A landlock_ruleset_attr that handles (so, with no rule added, denies) all that this version can."""
    file_bits = 13  # EXECUTE ... MAKE_SYM
    if version >= 2:
        file_bits = 14  # REFER
    if version >= 3:
        file_bits = 15  # TRUNCATE
    if version >= 5:
        file_bits = 16  # IOCTL_DEV
    fields = [(1 << file_bits) - 1]
    if version >= 4:
        fields.append(0b11)  # BIND_TCP, CONNECT_TCP
    if version >= 6:
        fields.append(0b11)  # scoped: ABSTRACT_UNIX_SOCKET, SIGNAL
    return struct.pack(f"={len(fields)}Q", *fields)


def set_resource_limits(memory: int = MEMORY_LIMIT_BYTES) -> Layer:
    """No core dump of somebody's picture, and so much more memory (bytes) and no more."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = now + memory
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return Layer("memory", active=True, detail=f"at most {limit / (1 << 30):.1f} GiB of address space, no core dump")


def enter_seccomp() -> Layer:
    """Refuse the calls that reach the network, files and programs, in all threads."""
    name = "network"
    machine = ARCHITECTURES.get(platform.machine())
    if machine is None:
        return Layer(name, active=False, detail=f"seccomp: not written for {platform.machine()} processors")
    instructions = filter_program(machine, os.getpid())
    program = (ctypes.c_char * len(instructions)).from_buffer_copy(instructions)
    header = struct.pack("HxxxxxxP", len(instructions) // 8, ctypes.addressof(program))
    buffer = ctypes.create_string_buffer(header, len(header))
    if _libc.syscall(machine.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, buffer) != 0:
        return Layer(name, active=False, detail=f"seccomp: {os.strerror(ctypes.get_errno())}")
    return Layer(name, active=True, detail="seccomp: no socket, no file, no program can be opened, in any thread")


_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_CALL_NUMBER_OFFSET, _AUDIT_ARCH_OFFSET, _FIRST_ARGUMENT_OFFSET, _SECOND_ARGUMENT_OFFSET = (
    0,
    4,
    16,
    24,
)  # in struct seccomp_data, little-endian


def filter_program(architecture: Architecture, pid: int) -> bytes:
    """The seccomp filter as struct sock_filter[]: code u16, jump-if-true u8, jump-if-false u8, operand u32.

    A thread may be started (clone with CLONE_THREAD), a process may not; clone3, whose flags a filter cannot read,
    does not exist for us, so that libc takes clone. What names a process or thread may name our own only: tgkill
    (abort needs it), prlimit64 (0 is ourselves), setpriority (0 is the calling thread).
    """
    code = [
        _op(_LOAD, _AUDIT_ARCH_OFFSET),
        _op(_JUMP_IF_EQUAL, architecture.audit_arch, 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _CALL_NUMBER_OFFSET),
    ]
    if architecture is _X86_64:  # the x32 numbers of the same calls
        code += [_op(_JUMP_IF_AT_LEAST, 0x40000000, 0, 1), _op(_RETURN, _REFUSE | errno.EACCES)]
    for number in sorted(set(architecture.refused_calls.values())):
        code += [_op(_JUMP_IF_EQUAL, number, 0, 1), _op(_RETURN, _REFUSE | errno.EACCES)]
    code += [_op(_JUMP_IF_EQUAL, architecture.clone3, 0, 1), _op(_RETURN, _REFUSE | errno.ENOSYS)]
    code += _allow_only_if(architecture.clone, _FIRST_ARGUMENT_OFFSET, [(_JUMP_IF_SET, _CLONE_THREAD)])
    code += _allow_only_if(architecture.tgkill, _FIRST_ARGUMENT_OFFSET, [(_JUMP_IF_EQUAL, pid)])
    code += _allow_only_if(architecture.prlimit64, _FIRST_ARGUMENT_OFFSET, [(_JUMP_IF_EQUAL, 0), (_JUMP_IF_EQUAL, pid)])
    code += _allow_only_if(architecture.setpriority, _SECOND_ARGUMENT_OFFSET, [(_JUMP_IF_EQUAL, 0)])
    code.append(_op(_RETURN, _ALLOW))
    return b"".join(code)


def _allow_only_if(number: int, argument: int, tests: list[tuple[int, int]]) -> list[bytes]:
    """Allow call `number` if one of the tests holds for its argument, else refuse it; skip all this for other calls."""
    count = len(tests)
    return [
        _op(_JUMP_IF_EQUAL, number, 0, count + 3),
        _op(_LOAD, argument),
        *(_op(code, operand, count - index, 0) for index, (code, operand) in enumerate(tests)),
        _op(_RETURN, _REFUSE | errno.EACCES),
        _op(_RETURN, _ALLOW),
    ]


def _op(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
