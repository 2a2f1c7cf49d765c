"""program/control.py: what the commands do that no other test runs as a whole program."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Nobg
from watcher import commit, config, paths
from watcher.cli.main import main
from watcher.config import Config
from watcher.errors import UsageError
from watcher.folders.watch import Watcher
from watcher.program import control, edit_config
from watcher.queue.job import Job
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import SETTLE_SECONDS
from watcher.recipe import Measure, Recipe

WHITE = Config(default_recipe="white")


@pytest.mark.parametrize(
    ("name", "values", "recipe"),
    [
        (None, {}, Recipe(background="#ffffff")),
        (None, {"output": "/cut"}, Recipe(Path("/cut"), background="#ffffff")),
        (None, {"crop": True}, Recipe(crop=Measure(0))),
        (None, {"background": "none"}, Recipe()),
        ("mask", {}, Recipe(mask=True)),
        ("transparent", {"output": "/cut"}, Recipe(Path("/cut"))),
    ],
)
def test_a_command_without_output_settings_has_the_default_recipe(
    name: str | None, values: dict[str, object], recipe: Recipe
) -> None:
    assert control.resolve_recipe(WHITE, name, values) == recipe


def test_without_a_default_recipe_the_plain_one_applies() -> None:
    assert control.resolve_recipe(Config(), None, {}) == Recipe()


@pytest.mark.slow
def test_remove_follows_the_default_recipe(nobg: Nobg, photo: Path) -> None:
    edit_config.set_value(paths.config_path(), "recipe", "white")
    result = nobg("remove", photo, "-o", "cut")
    assert result.returncode == 0, result.stderr
    with Image.open(photo.parent / "cut" / "photo_nobg.png") as image:
        assert (image.mode, image.getpixel((1, 1))) == ("RGB", (255, 255, 255))


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """Watch two folders, `on` and `off`, switch the second off, and return the folder that they are in."""
    for name in ("on", "off"):
        (tmp_path / name).mkdir()
        assert main(["watch", "add", str(tmp_path / name), "--json"]) == 0
    edit_config.set_folder_value(paths.config_path(), tmp_path / "off", "enabled", False)
    return tmp_path


def test_a_disabled_folder_is_shown_as_off(watched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["watch", "list"]) == 0
    assert capsys.readouterr().out == f"{watched}/on: not watched\n{watched}/off: off\n"
    assert main(["status", "--json"]) == 0
    folders = json.loads(capsys.readouterr().out)["folders"]
    assert [(folder["enabled"], folder["state"]) for folder in folders] == [(True, "not watched"), (False, "off")]


def test_a_folder_that_follows_the_default_recipe_is_listed_with_it(
    watched: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_config.set_value(paths.config_path(), "recipe", "mask")
    capsys.readouterr()
    assert main(["watch", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{watched}/on (recipe mask, mask True): not watched"


def test_a_folder_that_is_watched_again_is_switched_on_and_still_follows_the_default_recipe(watched: Path) -> None:
    edit_config.set_value(paths.config_path(), "recipe", "white")
    assert main(["watch", "add", str(watched / "off"), "-o", "cut", "--json"]) == 0
    folder = config.load(paths.config_path()).folders[1]
    assert (folder.enabled, folder.default_overrides) == (True, Recipe(Path("cut")))
    assert folder.recipe == Recipe(Path("cut"), background="#ffffff")


def test_while_the_settings_are_invalid_status_shows_the_last_good_ones(watched: Path) -> None:
    path = paths.config_path()
    (paths.state_dir() / config.LAST_GOOD_FILE).write_text(path.read_text())
    path.write_text('recipe = "ship"\n' + path.read_text())
    with pytest.raises(UsageError, match="line 1, recipe: there is no recipe called ship"):
        config.load(path)
    journal = Journal(paths.state_dir())
    status = control.status(journal)
    journal.close()
    assert [folder["path"] for folder in status["folders"]] == [f"{watched}/on", f"{watched}/off"]
    assert "no recipe called ship" in status["problems"][0]


def test_the_pictures_that_are_announced_are_those_that_the_program_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    top = tmp_path / "top"
    for name in (
        "a.jpg",
        "bolt.part.jpg",
        "~sketch.jpg",
        "empty.jpg",
        "a.jpg.part",
        "a_nobg.png",
        "known.jpg",
        "cut.png",
    ):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text("" if name == "empty.jpg" else "x")
    (top / "link.jpg").symlink_to(top / "a.jpg")
    for folder in ("sub", "done", ".cache", "@eaDir", "~old", "off", "separate"):
        (top / folder).mkdir()
        (top / folder / "b.jpg").write_text("x")
    for folder in ("off", "separate"):
        assert main(["watch", "add", str(top / folder), "--json"]) == 0
    edit_config.set_folder_value(paths.config_path(), top / "off", "enabled", False)
    journal = Journal(paths.state_dir())
    signature = commit.file_signature((top / "known.jpg").stat())
    known = Job(top / "known.jpg", "{}", signature=signature, source_hash="1")
    journal.record(known, state="done", output=top / "cut.png", output_hash="2")
    capsys.readouterr()
    options = ["--recursive", "--move-originals", "--json"]
    assert main(["watch", "add", str(top), *options]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 4

    now = 1000.0
    watcher = Watcher(journal, clock=lambda: now, wall_clock=lambda: now)
    watcher.configure(config.load(paths.config_path()).folders)
    watcher.step()
    now += SETTLE_SECONDS
    watcher.step()
    done = []
    while (job := journal.next_job()) is not None:
        done.append(str(job.source.relative_to(top)))
        journal.record(job, state="skipped")
    journal.close()
    assert sorted(done) == ["a.jpg", "bolt.part.jpg", "separate/b.jpg", "sub/b.jpg", "~sketch.jpg"]
    assert main(["watch", "add", str(top), *options]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 0


def test_watch_add_recursive_keeps_the_other_settings_of_a_watched_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    assert main(["watch", "add", str(folder), "--background", "white", "--move-originals", "done"]) == 0
    settings = paths.config_path()
    settings.write_text(settings.read_text().replace("[[folders]]", "# mine\n[[folders]]"))
    capsys.readouterr()
    assert main(["watch", "add", "--recursive", str(folder)]) == 0
    (changed,) = config.load(settings).folders
    assert changed.recursive
    assert (changed.recipe.background, changed.move_originals) == ("#ffffff", "done")
    assert "# mine" in settings.read_text()
    assert main(["watch", "add", "--recursive", "--background", "red", str(folder)]) == 0  # new options replace the old
    (changed,) = config.load(settings).folders
    assert (changed.recipe.background, changed.move_originals) == ("#ff0000", None)
