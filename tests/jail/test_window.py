"""The jail of a process that shows a window: what it refuses in all threads, and what a window still can do."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.jail.test_seccomp import ABSENT, ALLOW, KILL, PTHREAD_FLAGS, REFUSE, decide
from watcher.jail import syscalls, window
from watcher.jail.seccomp import window_filter_program
from watcher.jail.syscalls import ARCHITECTURES, NEWEST_CALL, Architecture

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="the jail of windows exists only on Linux")
architectures = pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)

ATTEMPTS = """
import ctypes, json, os, socket, sys, threading
from watcher.jail.window import enter_window

port, path = int(sys.argv[1]), sys.argv[2]
libc = ctypes.CDLL(None, use_errno=True)
go, outcomes = threading.Event(), []

def attempt(act):
    try:
        act()
    except OSError as error:
        return error.errno
    return 0

def internet():
    with socket.socket(socket.AF_INET) as end:
        end.connect(("127.0.0.1", port))

def local():
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(path)

def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")

def kind(family):
    return lambda: socket.socket(family, socket.SOCK_DGRAM).close()

def program():
    os.execv(sys.executable, [sys.executable, "-c", "print('started')"])

def all_attempts():
    acts = {"internet": internet, "internet 6": kind(10), "netlink": kind(16), "vsock": kind(40), "local": local,
            "program": program, "file": lambda: os.close(os.open(sys.executable, os.O_RDONLY)),
            "thread": lambda: (thread := threading.Thread(target=int), thread.start(), thread.join())}
    if os.uname().machine == "x86_64":
        acts |= {"trace": lambda: call(101, 16, os.getppid(), 0, 0), "ring": lambda: call(425, 1, 0)}
    return {name: attempt(act) for name, act in acts.items()}

def early():
    go.wait()
    outcomes.append(all_attempts())

thread = threading.Thread(target=early)
thread.start()
assert attempt(internet) == 0
layers = enter_window()
go.set()
thread.join()
print(json.dumps([[layer.active for layer in layers], outcomes[0], all_attempts()]))
"""


@only_linux
def test_no_thread_reaches_the_internet_or_starts_a_program_and_local_sockets_work(tmp_path: Path) -> None:
    path = str(tmp_path / "bus")
    with socket.create_server(("127.0.0.1", 0)) as internet, socket.socket(socket.AF_UNIX) as local:
        local.bind(path)
        local.listen()
        command = [sys.executable, "-c", ATTEMPTS, str(internet.getsockname()[1]), path]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    active, early, late = json.loads(printed)
    assert all(active)
    for outcomes in (early, late):  # a thread that ran before, and the one that entered the jail
        allowed = {name for name, error in outcomes.items() if error == 0}
        assert allowed == {"local", "file", "thread"}
        assert {error for name, error in outcomes.items() if name not in allowed} == {13}  # EACCES


@only_linux
def test_no_core_is_dumped_and_a_limit_of_nothing_stays() -> None:
    for limit in ("resource.RLIM_INFINITY", "0"):
        code = (
            "import resource; from watcher.jail.window import enter_window\n"
            f"if {limit} == 0: resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
            "enter_window(); print(*resource.getrlimit(resource.RLIMIT_CORE))"
        )
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert printed.split() in (["0", "0"], ["1", "1"])


def test_a_system_without_this_jail_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    (layer,) = window.enter_window()
    assert not layer.active
    assert "darwin" in layer.detail


def answer(architecture: Architecture, call: str, *arguments: int) -> int:
    numbers = architecture.numbers(syscalls.REFUSED | syscalls.EXAMINED | syscalls.ALLOWED)
    return decide(window_filter_program(architecture), architecture.audit_arch, numbers[call], *arguments)


@architectures
def test_only_a_local_socket_can_be_made(architecture: Architecture) -> None:
    for family in range(50):
        assert answer(architecture, "socket", family, 1, 0) == (ALLOW if family == 1 else REFUSE)


@architectures
def test_the_filter_refuses_what_is_listed_and_what_is_newer(architecture: Architecture) -> None:
    program = window_filter_program(architecture)
    listed = {name: syscalls.REFUSED[name] for name in syscalls.REFUSED_TO_WINDOWS}
    refused = set(architecture.numbers(listed).values())
    examined: dict[str, Any] = {**architecture.numbers(syscalls.EXAMINED), **architecture.numbers(syscalls.REFUSED)}
    special = {examined[name] for name in ("clone", "clone3", "ioctl", "socket")}
    for number in set(range(600)) - special:
        expected = REFUSE if number in refused else ABSENT if number > NEWEST_CALL else ALLOW
        assert decide(program, architecture.audit_arch, number) == expected, number
    assert answer(architecture, "clone", PTHREAD_FLAGS) == ALLOW
    assert answer(architecture, "clone", PTHREAD_FLAGS | 1 << 30) == REFUSE  # CLONE_NEWNET
    assert answer(architecture, "clone3") == ABSENT
    assert answer(architecture, "ioctl", 3, 0x5412) == REFUSE  # TIOCSTI
    assert answer(architecture, "ioctl", 3, 0xC0106407) == ALLOW  # of a graphics driver


def test_another_abi_ends_the_process_and_x32_is_refused() -> None:
    architecture = ARCHITECTURES["x86_64"]
    program = window_filter_program(architecture)
    assert decide(program, architecture.audit_arch ^ 1, 0) == KILL
    assert decide(program, architecture.audit_arch, 0x40000000 + 41) == REFUSE
