"""jail.py and its three backends."""

import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from watcher.jail import enter, macos, windows
from watcher.jail import linux as jail_linux
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker

linux = pytest.mark.skipif(sys.platform != "linux", reason="this is how Linux jails")

EVERYTHING = {
    "read a file",
    "write a file",
    "open a network socket",
    "open a local socket",
    "start a program",
}


@linux
def test_the_worker_is_refused_a_file_a_socket_and_a_program(worker: Worker) -> None:
    worker.send({"id": 7, "probe": True})
    answer, _ = worker.receive(PICTURE_TIMEOUT_SECONDS)
    assert answer["id"] == 7
    assert answer["refused"] == dict.fromkeys(EVERYTHING, True)


def test_outside_the_jail_the_same_attempts_succeed() -> None:
    assert enter.probe() == dict.fromkeys(EVERYTHING, False)


@linux
def test_all_threads_of_the_worker_are_filtered_and_may_gain_no_privileges(worker: Worker) -> None:
    threads = [path.read_text() for path in Path(f"/proc/{worker.pid}/task").glob("*/status")]
    assert len(threads) >= 3
    for status in threads:
        assert "Seccomp:\t2\n" in status
        assert "NoNewPrivs:\t1\n" in status


@linux
def test_the_worker_has_no_core_dump_bounded_memory_and_a_bare_environment(worker: Worker) -> None:
    limits = Path(f"/proc/{worker.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    space = next(line for line in limits.splitlines() if line.startswith("Max address space"))
    assert core.split()[4:6] == ["0", "0"]
    assert 6 << 30 <= int(space.split()[3]) < 8 << 30


@linux
def test_the_worker_knows_nothing_of_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("NOBG_HOME", str(tmp_path))
    with Worker() as process:
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
        assert os.readlink(f"/proc/{process.pid}/cwd") == "/"
        process.wait_until_ready()
    names = {entry.partition("=")[0] for entry in environment.split("\0") if entry}
    assert "ORT_DISABLE_TELEMETRY" in names
    assert not names & {"SECRET_TOKEN", "HOME", "USER", "PATH", "DISPLAY", "SSH_AUTH_SOCK"}


def attempts_under(setup: str) -> dict[str, bool]:
    """The probe in a process of its own, after `setup`."""
    code = (
        f"import json; from watcher.jail import enter as jail; from watcher.jail import linux as jail_linux; {setup}; "
    )
    code += "print(json.dumps(jail.probe()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    result: dict[str, bool] = __import__("json").loads(done.stdout)
    return result


@linux
def test_landlock_alone_keeps_files_closed() -> None:
    refused = attempts_under("jail_linux.enter_before_threads()")
    assert refused["read a file"]
    assert refused["write a file"]
    assert not refused["open a local socket"]


@linux
def test_seccomp_alone_keeps_everything_closed() -> None:
    setup = "jail_linux._prctl(38, 1); layer = jail_linux.enter_seccomp(); assert layer.active, layer"
    assert attempts_under(setup) == dict.fromkeys(EVERYTHING, True)


@linux
def test_landlock_says_so_when_it_comes_too_late_for_a_thread() -> None:
    code = (
        "import threading; from watcher.jail import linux as jail_linux; e = threading.Event()\n"
        "threading.Thread(target=e.wait).start(); layer = jail_linux.enter_landlock(); e.set()\n"
        "assert not layer.active; assert 'other threads' in layer.detail"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@linux
@pytest.mark.parametrize(("version", "size"), [(1, 8), (2, 8), (3, 8), (4, 16), (5, 16), (6, 24), (7, 24), (99, 24)])
def test_each_landlock_version_gets_the_ruleset_it_knows(version: int, size: int) -> None:
    assert len(jail_linux.ruleset(version)) == size


@linux
def test_a_kernel_without_landlock_is_said_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    class OldKernel:
        def syscall(self, *_arguments: Any) -> int:
            return -1

    monkeypatch.setattr(jail_linux, "_libc", OldKernel())
    monkeypatch.setattr(os, "listdir", lambda _path: ["1"])
    layer = jail_linux.enter_landlock()
    assert not layer.active
    assert "this kernel has none" in layer.detail


@linux
def test_an_unknown_processor_is_said_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    layer = jail_linux.enter_seccomp()
    assert not layer.active
    assert "riscv64" in layer.detail


def decide(program: bytes, audit: int, number: int, argument: int = 0, second: int = 0) -> int:
    """What the kernel would answer: classic BPF as seccomp uses it, interpreted."""
    data = struct.pack("<IIQ6Q", number, audit, 0, argument, second, 0, 0, 0, 0)
    accumulator, position = 0, 0
    while True:
        code, if_true, if_false, operand = struct.unpack_from("=HBBI", program, position * 8)
        position += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, operand)[0]
            continue
        met = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}[code]
        position += if_true if met else if_false


ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000


@linux
@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_the_filter_decides_each_call_as_written(name: str) -> None:
    machine = jail_linux.ARCHITECTURES[name]
    program = jail_linux.filter_program(machine, pid=4242)
    for number in range(600):
        if number in machine.refused_calls.values():
            expected = REFUSE | 13
        elif number == machine.clone3:
            expected = REFUSE | 38
        elif number in (machine.clone, machine.tgkill, machine.setpriority, machine.prlimit64):
            continue
        else:
            expected = ALLOW
        assert decide(program, machine.audit_arch, number) == expected, number
    assert decide(program, machine.audit_arch, machine.clone, 0x3D0F00) == ALLOW  # what pthread_create passes
    assert decide(program, machine.audit_arch, machine.clone, 17) == REFUSE | 13  # SIGCHLD: fork
    assert decide(program, machine.audit_arch, machine.tgkill, 4242) == ALLOW
    assert decide(program, machine.audit_arch, machine.tgkill, 1) == REFUSE | 13
    assert decide(program, machine.audit_arch, machine.prlimit64, 0) == ALLOW
    assert decide(program, machine.audit_arch, machine.prlimit64, 4242) == ALLOW
    assert decide(program, machine.audit_arch, machine.prlimit64, 1) == REFUSE | 13
    assert decide(program, machine.audit_arch, machine.setpriority, 0, 0) == ALLOW
    assert decide(program, machine.audit_arch, machine.setpriority, 0, 1) == REFUSE | 13
    assert decide(program, machine.audit_arch ^ 1, 0) == KILL
    assert len(program) // 8 < 256 * 16


@linux
def test_the_other_abi_of_x86_is_closed() -> None:
    program = jail_linux.filter_program(jail_linux.ARCHITECTURES["x86_64"], pid=1)
    assert decide(program, 0xC000003E, 0x40000000 + 41) == REFUSE | 13


class Stand_in:  # noqa: N801  it stands in for a C library
    """A C library that records what it was called with and gives prepared answers."""

    def __init__(self, **answers: int) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        for name, answer in answers.items():
            setattr(self, name, self._function(name, answer))

    def _function(self, name: str, answer: int) -> Any:
        def function(*arguments: Any) -> int:
            self.calls.append((name, arguments))
            return answer

        return function


def test_macos_enters_the_named_sandbox_and_says_when_it_cannot() -> None:
    library = Stand_in(sandbox_init=0)
    assert macos.enter_sandbox(library).active
    (_, (profile, flags, _message)) = library.calls[0]
    assert (profile, flags.value) == (b"pure-computation", 1)
    refused = macos.enter_sandbox(Stand_in(sandbox_init=-1))
    assert not refused.active
    assert "no reason given" in refused.detail


def test_windows_puts_the_process_into_a_job_with_one_process_and_bounded_memory() -> None:
    kernel = Stand_in(CreateJobObjectW=5, GetCurrentProcess=6, SetInformationJobObject=1, AssignProcessToJobObject=1)
    assert windows.enter_job_object(kernel).active
    names = [name for name, _ in kernel.calls]
    assert names == ["CreateJobObjectW", "SetInformationJobObject", "GetCurrentProcess", "AssignProcessToJobObject"]
    limits = windows.job_limits()
    assert limits.BasicLimitInformation.ActiveProcessLimit == 1
    assert limits.ProcessMemoryLimit == enter.MEMORY_LIMIT_BYTES
    if ctypes.sizeof(ctypes.c_void_p) == 8:
        assert ctypes.sizeof(limits) == 144  # as winnt.h lays it out on 64-bit Windows


@pytest.mark.parametrize("refusing", ["CreateJobObjectW", "SetInformationJobObject", "AssignProcessToJobObject"])
def test_windows_says_when_the_job_cannot_be_entered(refusing: str) -> None:
    answers = dict.fromkeys(("CreateJobObjectW", "GetCurrentProcess", "SetInformationJobObject"), 1)
    kernel = Stand_in(**(answers | {"AssignProcessToJobObject": 1} | {refusing: 0}))
    assert not windows.enter_job_object(kernel).active
