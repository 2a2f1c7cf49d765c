"""Find file managers that were started before the last change."""

from __future__ import annotations

import os
from pathlib import Path

from integrations.processes import has_process_older_than


def test_a_file_manager_started_before_the_last_change_needs_a_restart(tmp_path: Path) -> None:
    changed_file = tmp_path / "changed"
    changed_file.touch()
    os.utime(changed_file, (1000, 1000))
    proc_folder = tmp_path / "proc"
    process = proc_folder / "7"
    process.mkdir(parents=True)
    (proc_folder / "stat").write_text("cpu 1 2\nbtime 900\n")
    (process / "comm").write_text("thunar\n")

    def needs_restart(seconds_after_boot: int) -> bool:
        ticks = seconds_after_boot * os.sysconf("SC_CLK_TCK")
        (process / "stat").write_text(f"7 (th) unar) S {' '.join('0' for _ in range(18))} {ticks} 0\n")
        return has_process_older_than("thunar", [changed_file], proc_folder)

    assert needs_restart(99)
    assert not needs_restart(101)
    assert not has_process_older_than("nautilus", [changed_file], proc_folder)
    assert not has_process_older_than("", [changed_file], proc_folder)


def test_the_processes_of_this_machine_can_be_read(tmp_path: Path) -> None:
    own_name = Path("/proc/self/comm").read_text().strip() if os.path.isdir("/proc/self") else ""
    new_file = tmp_path / "new"
    new_file.touch()
    assert has_process_older_than(own_name, [new_file], Path("/proc")) == bool(own_name)
