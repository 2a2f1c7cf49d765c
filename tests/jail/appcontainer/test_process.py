"""process.py: what CreateProcessW is told, and the process that comes of it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fake_windows import FakeWindows
from watcher.jail.appcontainer import process
from watcher.jail.appcontainer.library import AppContainerError
from watcher.jail.appcontainer.process import ContainedProcess, Program

ECHO = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data); print('told', file=sys.stderr)"
SID_ADDRESS = 0x123456789A


def layout(structure: type[ctypes.Structure]) -> dict[str, int]:
    """Return each field's offset."""
    return {str(name): getattr(structure, str(name)).offset for name, *_ in structure._fields_}


def test_the_structures_have_the_layout_of_64_bit_windows() -> None:
    startup, information = layout(process.StartupInfo), layout(process.ProcessInformation)
    assert ctypes.sizeof(process.StartupInfo) == 112
    assert {name: startup[name] for name in ("dwFlags", "hStdInput", "hStdOutput", "hStdError", "lpAttributeList")} == {
        "dwFlags": 60,
        "hStdInput": 80,
        "hStdOutput": 88,
        "hStdError": 96,
        "lpAttributeList": 104,
    }
    assert ctypes.sizeof(process.ProcessInformation) == 24
    assert information == {"hProcess": 0, "hThread": 8, "dwProcessId": 16, "dwThreadId": 20}
    assert ctypes.sizeof(process.SecurityCapabilities) == 24
    assert layout(process.SecurityCapabilities) == {
        "AppContainerSid": 0,
        "Capabilities": 8,
        "CapabilityCount": 16,
        "Reserved": 20,
    }


def test_the_attributes_are_an_appcontainer_without_capabilities_a_job_no_child_and_the_pipes_alone() -> None:
    attributes = process.attributes_of([11, 12, 13], 77, SID_ADDRESS)
    assert list(attributes[0x20002]) == [11, 12, 13]
    assert list(attributes[0x2000D]) == [77]
    assert (attributes[0x2000E].value, ctypes.sizeof(attributes[0x2000E])) == (1, 4)
    assert (attributes[0x20007].value, ctypes.sizeof(attributes[0x20007])) == (1 << 32, 8)
    capabilities = attributes[0x20009]
    assert capabilities.AppContainerSid == SID_ADDRESS
    assert (capabilities.Capabilities, capabilities.CapabilityCount, capabilities.Reserved) == (None, 0, 0)
    assert 0x20009 not in process.attributes_of([11, 12, 13], 77, None)


def test_the_variables_are_sorted_and_each_ends_with_a_nul() -> None:
    assert process.environment_block({"b": "2", "A": "1 =", "C": ""}) == "A=1 =\0b=2\0C=\0\0"


@pytest.fixture
def fake() -> FakeWindows:
    """Windows."""
    return FakeWindows()


def start(fake: FakeWindows, log: Path, code: str = ECHO) -> ContainedProcess:
    """Start Python in the AppContainer."""
    program = Program([sys.executable, "-c", code], {"ONE": "1"}, "C:\\Windows")
    with log.open("wb") as errors:
        return process.start(fake.as_windows(), program, SID_ADDRESS, errors.fileno())


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in takes descriptors for handles")
def test_a_process_gets_its_pipes_its_variables_and_nothing_else(fake: FakeWindows, tmp_path: Path) -> None:
    descriptors = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    child = start(fake, tmp_path / "log")
    (told,) = fake.started
    assert told["program"] == sys.executable
    assert told["line"] == subprocess.list2cmdline([sys.executable, "-c", ECHO])
    assert told["flags"] == 0x80000 | 0x400 | 0x8  # EXTENDED_STARTUPINFO_PRESENT, Unicode, DETACHED_PROCESS
    assert told["folder"] == "C:\\Windows"
    assert told["variables"] == {"ONE": "1"}
    assert (told["startup"].cb, told["startup"].dwFlags) == (112, 0x100)  # STARTF_USESTDHANDLES
    assert told["startup"].lpAttributeList
    assert list(told["attributes"][0x20002]) == told["handles"]
    child.stdin.write(b"picture" * 100_000)
    child.stdin.close()
    assert child.stdout.read() == b"picture" * 100_000
    child.stdout.close()
    assert child.wait(60) == child.poll() == child.returncode == 0
    assert (tmp_path / "log").read_bytes() == b"told\n"
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == descriptors
    handle = child.pid
    del child
    assert fake.closed == [2, handle, 77]  # the thread, the process, the job


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in takes descriptors for handles")
def test_a_process_that_goes_on_can_be_waited_for_and_killed(fake: FakeWindows, tmp_path: Path) -> None:
    child = start(fake, tmp_path / "log", "import sys; sys.stdin.read()")
    assert child.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.01)
    child.kill()
    assert child.wait() != 0
    child.kill()
    assert fake.names().count("TerminateProcess") == 1  # it has ended: its number may be another process's by now
    child.stdin.close()
    child.stdout.close()


def test_the_job_allows_one_process_and_ends_it_with_its_last_handle(fake: FakeWindows) -> None:
    assert process.make_job(fake.as_windows()) == 77
    flags, processes = (int.from_bytes(fake.job_limits[start : start + 4], "little") for start in (16, 40))
    assert flags == 0x8 | 0x400 | 0x2000  # one process, no crash dialog, KILL_ON_JOB_CLOSE
    assert processes == 1


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in takes descriptors for handles")
@pytest.mark.parametrize(
    "failing",
    ["CreateJobObjectW", "SetInformationJobObject", "UpdateProcThreadAttribute", "CreateProcessW"],
)
def test_whatever_windows_refuses_is_said_and_leaves_nothing_open(
    fake: FakeWindows, tmp_path: Path, failing: str
) -> None:
    fake.failing[failing] = 0
    before = sorted(os.listdir("/proc/self/fd")) if sys.platform == "linux" else []
    with pytest.raises(AppContainerError, match=rf"{failing}.* failed with error 5"):
        start(fake, tmp_path / "log")
    assert fake.closed == ([] if failing == "CreateJobObjectW" else [77])
    assert (sorted(os.listdir("/proc/self/fd")) if sys.platform == "linux" else []) == before
    assert fake.names().count("DeleteProcThreadAttributeList") == (
        failing in ("UpdateProcThreadAttribute", "CreateProcessW")
    )
