"""Tests of memory.py."""

import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest

from watcher.errors import ModelError
from watcher.matting import memory, models, modes
from watcher.worker.supervisor import Worker

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's files")


def machine(root: Path, groups: str) -> None:
    """Make `root` the root folder of a system with 8 GiB free. `groups`: the content of /proc/self/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text("MemTotal:  16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n")
    (root / "proc/self/cgroup").write_text(groups)


def group(root: Path, path: str, **values: str) -> None:
    """Write the files of a control group."""
    folder = root / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in values.items():
        (folder / name.replace("memory_", "memory.")).write_text(text)


@linux
def test_without_limits_it_is_what_the_kernel_reports(tmp_path: Path) -> None:
    machine(tmp_path, "0::/user.slice\n")
    group(tmp_path, "user.slice", memory_max="max\n", memory_current="1000\n")
    assert memory.available(tmp_path) == 8 << 30


@linux
def test_the_tightest_enclosing_group_counts_and_file_cache_does_not(tmp_path: Path) -> None:
    machine(tmp_path, "0::/a.slice/b.service\n")
    group(tmp_path, "a.slice", memory_max=f"{4 << 30}\n", memory_current=f"{3 << 30}\n")
    group(tmp_path, "a.slice/b.service", memory_max=f"{6 << 30}\n", memory_current=f"{1 << 30}\n")
    assert memory.available(tmp_path) == 1 << 30
    group(tmp_path, "a.slice", memory_stat=f"anon 5\ninactive_file {1 << 30}\nslab 7\n")
    assert memory.available(tmp_path) == 2 << 30


@linux
@pytest.mark.parametrize("path", ["/", "/docker/0123"], ids=["own namespace", "the host's path"])
def test_a_container_sees_its_limit_at_the_top(tmp_path: Path, path: str) -> None:
    machine(tmp_path, f"0::{path}\n")
    group(tmp_path, ".", memory_max=f"{2 << 30}", memory_current=f"{3 << 30}")
    assert memory.available(tmp_path) == 0


@linux
def test_control_groups_of_version_1_have_other_names(tmp_path: Path) -> None:
    machine(tmp_path, "12:cpu,cpuacct:/x\n4:memory:/x\n0::/x\n")
    stat = f"inactive_file 9\ntotal_inactive_file {1 << 29}\n"
    group(
        tmp_path, "memory/x", memory_limit_in_bytes=f"{1 << 30}", memory_usage_in_bytes=f"{1 << 30}", memory_stat=stat
    )
    group(tmp_path, "memory", memory_limit_in_bytes="9223372036854771712", memory_usage_in_bytes="5")
    assert memory.available(tmp_path) == 1 << 29


@linux
def test_without_any_figures_the_free_memory_is_unknown(tmp_path: Path) -> None:
    assert memory.available(tmp_path) is None


@linux
def test_this_system_reports_a_plausible_figure() -> None:
    free = memory.available()
    assert free is not None
    assert 50_000_000 < free < 1 << 44


def test_other_systems_are_asked_through_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psutil")
    stand_in = types.SimpleNamespace(platform="darwin")
    monkeypatch.setattr(memory, "sys", stand_in)
    free = memory.available(Path("/nowhere"))
    assert free is not None
    assert free > 50_000_000


def test_a_model_that_fits_is_accepted_and_one_that_does_not_is_refused_in_words() -> None:
    model = replace(models.SHIPPED[0], name="large", memory=5_800_000_000)
    memory.check(model, free=5_800_000_000)
    with pytest.raises(ModelError) as refused:
        memory.check(model, free=3_100_000_000)
    assert str(refused.value) == (
        "The model large needs about 5.8 GB of memory, and 3.1 GB are free. "
        "Close other programs, or use what needs less: nobg models use fast"
    )
    with pytest.raises(ModelError, match=r"Close other programs\.$"):
        memory.check(modes.FAST, free=0)


@pytest.mark.parametrize(
    ("needed", "free", "said"),
    [
        (540_000_000, 460_000_000, "needs about 0.54 GB of memory, and 0.46 GB are free"),  # both are 0.5
        (500_100_000, 500_000_000, "needs about 0.5001 GB of memory, and 0.5000 GB are free"),
        (500_000_001, 500_000_000, "needs about 0.500000001 GB of memory, and 0.500000000 GB are free"),
        (900_000_000, 100_000_000, "needs about 0.9 GB of memory, and 0.1 GB are free"),
    ],
)
def test_needed_and_free_memory_have_enough_digits_to_differ(needed: int, free: int, said: str) -> None:
    with pytest.raises(ModelError) as refused:
        memory.check(replace(models.SHIPPED[0], memory=needed), free=free)
    assert said in str(refused.value)
    assert "nobg models" not in refused.value.on_desktop


def test_the_peak_is_that_of_this_process() -> None:
    before = memory.peak()
    block = bytearray(200_000_000)
    block[::4096] = b"x" * len(block[::4096])
    after = memory.peak()
    assert before is not None
    assert after is not None
    assert after >= 200_000_000
    assert before <= after


def test_the_worker_refuses_a_model_for_which_there_is_no_memory_before_it_reads_it() -> None:
    folder = models.sidecar_path("huge").parent
    folder.mkdir(parents=True)
    models.sidecar_path("huge").write_bytes(models.encode_sidecar("0" * 64, 5, 1 << 50, models.SHIPPED[0]))
    with Worker(modes.find("huge")) as worker, pytest.raises(ModelError, match="GB of memory, and"):
        worker.wait_until_ready()


def test_the_kernel_says_how_many_processes_it_killed_for_want_of_memory(tmp_path: Path) -> None:
    assert memory.kill_count(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "vmstat").write_text("drop_slab 0\noom_kill 3\nnuma_pte_updates 0\n")
    assert memory.kill_count(tmp_path) == 3
