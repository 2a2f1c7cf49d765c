"""The layers on Linux, each alone: what each refuses, and how it reports why it is not active."""

import ctypes
import errno
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.jail.test_enter import FORBIDDEN_ACTS
from watcher.jail import landlock, linux, seccomp

if sys.platform == "linux":
    import resource

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these layers exist only on Linux")


def probe_after(setup: str) -> dict[str, bool]:
    """Run the statements `setup`, then the probe, in a process of its own; return which acts were refused."""
    imports = "import json; from watcher.jail import landlock, linux, seccomp; from watcher.jail.probe import probe"
    code = f"{imports}; {setup}; print(json.dumps(probe()))"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    refused: dict[str, bool] = json.loads(completed.stdout)
    return refused


def test_landlock_alone_refuses_files() -> None:
    refused = probe_after("linux.enter_before_threads()")
    assert refused["read a file"]
    assert refused["write a file"]
    assert not refused["open a local socket"]


def test_seccomp_alone_refuses_everything() -> None:
    setup = "linux.set_prctl(38, 1); layer = seccomp.enter_seccomp(); assert layer.active, layer"
    assert probe_after(setup) == dict.fromkeys(FORBIDDEN_ACTS, True)


def run_as_ordinary_user(statements: str) -> str:
    """Run Python statements in a process of its own, which is no longer root; return what it prints."""
    code = (
        "import os, resource, tempfile\n"
        "from watcher.jail import linux\n"
        "if os.getuid() == 0: os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)\n"
    )
    command = [sys.executable, "-c", code + statements]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_threads_of_an_ordinary_user_are_bounded_far_above_those_that_run() -> None:
    printed = run_as_ordinary_user("print(linux.limit_threads(), *resource.getrlimit(resource.RLIMIT_NPROC))")
    limit, *_words, soft, hard = printed.split()
    assert "threads of this person" in printed
    assert limit == soft == hard
    assert int(limit) >= min(linux.THREADS_BEYOND, resource.getrlimit(resource.RLIMIT_NPROC)[1] & (1 << 22) - 1)


def test_a_person_whose_threads_are_limited_already_keeps_that_limit() -> None:
    printed = run_as_ordinary_user(
        "resource.setrlimit(resource.RLIMIT_NPROC, (300, 400))\n"
        "print(linux.limit_threads(), *resource.getrlimit(resource.RLIMIT_NPROC))"
    )
    assert printed.split()[-2:] in (["300", "300"], ["300", "400"])  # the latter: 300 threads run already


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root is exempt")
def test_root_keeps_its_limit_since_the_kernel_would_not_enforce_another() -> None:
    code = (
        "import resource; from watcher.jail import linux; before = resource.getrlimit(resource.RLIMIT_NPROC)\n"
        "assert 'root' in linux.limit_threads(); assert resource.getrlimit(resource.RLIMIT_NPROC) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_file_may_grow_and_few_may_be_open() -> None:
    printed = run_as_ordinary_user(
        "file = tempfile.TemporaryFile(buffering=0)\n"
        "linux.limit_files(accelerated=False)\n"
        "try: file.write(b'x')\n"
        "except OSError as error: print(error.errno)\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    assert printed.split() == ["27", "64", "64"]  # EFBIG


def test_a_driver_may_have_files_of_bounded_size_and_as_many_as_before() -> None:
    printed = run_as_ordinary_user(
        "before = resource.getrlimit(resource.RLIMIT_NOFILE); linux.limit_files(accelerated=True)\n"
        "print(resource.getrlimit(resource.RLIMIT_FSIZE)[1] <= 1 << 30)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE) == before)"
    )
    assert printed.split() == ["True", "True"]


@pytest.mark.parametrize(
    ("accelerated", "libc", "words"),
    [
        (False, "glibc 2.36", "only calls that reach nothing else are allowed"),
        (True, "glibc 2.36", "a list of calls is refused"),
        (False, None, "a list of calls is refused"),
    ],
    ids=["glibc", "driver", "another libc"],
)
def test_the_filter_is_strict_where_no_driver_and_no_unknown_libc_needs_more(
    accelerated: bool, libc: str | None, words: str
) -> None:
    code = (
        f"import os; os.confstr = lambda _name: {libc!r}\n"
        "from watcher.jail import enter\n"
        f"print(*(layer.detail for layer in enter.enter_with_threads(accelerated={accelerated})))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert words in printed or "seccomp: nobg has no filter" in printed


def test_landlock_reports_that_a_thread_was_running_already() -> None:
    code = (
        "import threading; from watcher.jail import landlock; e = threading.Event()\n"
        "threading.Thread(target=e.wait).start(); layer = landlock.enter_landlock(); e.set()\n"
        "assert not layer.active; assert 'other threads' in layer.detail"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("version", "size"), [(1, 8), (2, 8), (3, 8), (4, 16), (5, 16), (6, 24), (7, 24), (99, 24)])
def test_each_landlock_version_gets_a_ruleset_of_its_size(version: int, size: int) -> None:
    assert len(landlock.ruleset_attributes(version)) == size


def test_a_kernel_without_landlock_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class OldKernel:
        def syscall(self, *_arguments: Any) -> int:
            ctypes.set_errno(errno.ENOSYS)
            return -1

    monkeypatch.setattr(landlock, "_libc", OldKernel())
    monkeypatch.setattr(os, "listdir", lambda _path: ["1"])
    layer = landlock.enter_landlock()
    assert not layer.active
    assert "this kernel has none" in layer.detail


def test_an_unknown_processor_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    layer = seccomp.enter_seccomp()
    assert not layer.active
    assert "riscv64" in layer.detail
