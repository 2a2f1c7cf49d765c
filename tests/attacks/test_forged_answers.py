"""A worker that has been taken over answers what it likes: it counts as dead, and the other picture is done."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from tests.support.outputs import stand_in_output
from tests.support.program import ROOT
from tests.support.workers.forger import LIES
from watcher import api
from watcher.cli import main
from watcher.errors import DOUBTS, PictureError
from watcher.queue.journal import Journal
from watcher.worker import answers, dispatch, supervisor

MAX_PEAK_GROWTH_BYTES = 300 << 20


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the forger as the worker; return its log."""
    path = tmp_path / "worker.log"
    command = [sys.executable, str(ROOT / "tests/support/workers/forger.py"), str(path)]
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: command)
    monkeypatch.setenv("NOBG_HOME", str(tmp_path / "home"))
    return path


def peak_bytes() -> int:
    """Return the peak of this process's memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@pytest.mark.parametrize("name", LIES)
def test_a_forged_answer_ends_the_worker_and_the_other_pictures_are_done(
    name: str, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    contents = ("ok first", f"forge {name}", "ok last")
    sources = [folder / f"{number}.jpg" for number in range(3)]
    for source, content in zip(sources, contents, strict=True):
        source.write_text(content)
    (tmp_path / "home" / "state").mkdir(parents=True)
    journal = Journal(tmp_path / "home" / "state")
    before = peak_bytes()
    results = {job.source: job for job in dispatch.run(sources, journal)}
    assert peak_bytes() - before < MAX_PEAK_GROWTH_BYTES
    assert [results[source].state for source in sources] == ["done", "failed", "done"]
    assert (folder / "2_nobg.png").read_bytes() == stand_in_output("ok last")
    assert not (folder / "1_nobg.png").exists()
    expected_reason = "unreadable" if name == "two answers" else "worker_died"
    assert results[sources[1]].reason == expected_reason
    assert log.read_text().splitlines().count(f"forge {name}") <= 3
    journal.close()
    assert main.main(["history"]) == 0
    assert "1.jpg" in capsys.readouterr().out


def test_text_of_the_worker_cannot_change_how_other_text_is_shown() -> None:
    text = "\x1b[31mRED\x1b]0;title\x07 \u202e drowssap \u2028 next."
    header = {"state": "failed", "reason": "unreadable", "detail": text, "seconds": 0.1}
    detail = answers.check(header, b"", "png").detail
    assert detail is not None
    assert detail.isprintable()
    assert "drowssap" in detail


def test_an_answer_may_lack_a_doubt_and_one_in_range_is_kept() -> None:
    header = {"state": "failed", "reason": "unreadable", "seconds": 0.1}
    assert answers.check(header, b"", "png").doubt is None
    for doubt in (None, 0.0, 0.125, 1.0):
        assert answers.check({**header, "doubt": doubt}, b"", "png").doubt == doubt
    for why in ([], ["soft"], list(DOUBTS)):
        assert answers.check({**header, "why": why}, b"", "png").why == tuple(why)


@pytest.mark.usefixtures("log")
def test_the_python_call_raises_for_a_forged_answer_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_supervisor", supervisor.Supervisor())
    with pytest.raises(PictureError, match="worker ended unexpectedly"):
        api.remove_background(b"forge no picture")
    with pytest.raises(PictureError, match="worker ended unexpectedly"):
        api.remove_background(b"forge wrong id")
    api._supervisor.stop_worker()
