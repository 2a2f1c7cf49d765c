"""The pictures that the benchmarks make."""

from pathlib import Path

import watcher
from benchmarks import speed


def test_every_picture_that_is_made_for_a_click_has_a_clear_subject(tmp_path: Path) -> None:
    speed.make_pictures(tmp_path / "one", [(1500, 1000)] * len(speed.SUBJECTS))
    for path in sorted((tmp_path / "one").iterdir()):
        watcher.remove_background(path)  # raises PictureError if it has none
