"""limited_pipe.py: how much of what a jailed process prints reaches its log."""

import io
import os
import subprocess
import sys

import pytest

from watcher.jail.limited_pipe import LimitedPipe


def printed(text: bytes, sink: io.BytesIO, limit: int = 100) -> bytes:
    """Let a process print `text`; return what the sink has."""
    with LimitedPipe(sink, limit) as pipe:
        code = "import sys; sys.stderr.buffer.write(sys.stdin.buffer.read())"
        subprocess.run([sys.executable, "-c", code], input=text, stderr=pipe.write_end, check=True)
    return sink.getvalue()


@pytest.mark.parametrize("length", [0, 1, 100])
def test_all_is_kept_up_to_the_limit(length: int) -> None:
    assert printed(b"x" * length, io.BytesIO()) == b"x" * length


def test_the_rest_is_dropped_and_the_log_says_so_once() -> None:
    kept = printed(b"x" * 3_000_000, io.BytesIO())  # more than a pipe holds: a process that waited would not end
    assert kept.startswith(b"x" * 100 + b"\n[nobg keeps 100 bytes")
    assert kept.count(b"dropped") == 1
    assert len(kept) < 300


def test_a_process_goes_on_when_its_log_cannot_be_written() -> None:
    class FullDisk(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    assert printed(b"x" * 3_000_000, FullDisk()) == b""


def test_a_process_that_does_not_start_leaves_no_descriptor_and_no_thread_behind() -> None:
    with pytest.raises(FileNotFoundError), LimitedPipe(io.BytesIO()) as pipe:
        subprocess.run(["/no/such/program"], stderr=pipe.write_end, check=False)
    assert not pipe._thread.is_alive()
    with pytest.raises(OSError):
        os.close(pipe.write_end)
