"""Touch up with the real, jailed worker: what a window would ask of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.conftest import SAMPLES
from watcher.matting import modes
from watcher.matting.touchup.edits import Edit, encode
from watcher.worker.answers import Expected
from watcher.worker.supervisor import Worker

PHOTO = (SAMPLES / "astronaut.jpg").read_bytes()
EXACT = Edit("erase", ((100.0, 380.0), (180.0, 380.0)), 40.0, exact=True)


class Window:
    """Asks the worker, one message after the other."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self._count = worker, 0

    def ask(self, payload: bytes = b"", **header: Any) -> tuple[dict[str, Any], bytes]:
        """Return the answer: header and payload."""
        self._count += 1
        self._worker.send({"id": self._count, **header}, payload)
        return self._worker.receive(120)

    def open(self, data: bytes) -> tuple[int, int]:
        """Open a photo. Return its size."""
        answer, _ = self.ask(data, touchup="open", recipe="{}")
        assert answer["state"] == "done"
        return answer["width"], answer["height"]

    def edit(self, *edits: Edit) -> dict[str, Any]:
        """Send the list of edits. Return the answer."""
        answer, _ = self.ask(encode(edits).encode(), touchup="edits")
        assert answer["state"] == "done"
        return answer

    def tile(self, layer: str, box: tuple[int, int, int, int], size: tuple[int, int]) -> np.ndarray[Any, Any]:
        """Return the pixels of a part."""
        answer, data = self.ask(touchup="tile", layer=layer, box=list(box), pixels=list(size))
        assert answer["state"] == "done", answer
        return np.frombuffer(data, np.uint8).reshape(size[1], size[0], -1)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with pytest.MonkeyPatch.context() as patch, Worker(modes.FAST, for_touchup=True) as worker:
        patch.delenv("DISPLAY", raising=False)
        layers = worker.wait_until_ready()["jail"]
        assert all(layer["active"] for layer in layers), layers
        yield worker


@pytest.fixture
def window(worker: Worker) -> Window:
    window = Window(worker)
    window._count = 1000 * id(window)  # answers of another test are never taken for this one's
    return window


def test_a_photo_is_seen_changed_and_seen_again(window: Window) -> None:
    width, height = window.open(PHOTO)
    whole = (0, 0, width, height)
    photo = window.tile("photo", whole, (width // 2, height // 2))
    assert photo.shape[2] == 3
    answer = window.edit()
    assert answer["changed"] is None
    assert answer["ways"][:3] == ["fast", "balanced", "best"]
    before = window.tile("cutout", whole, (width, height))
    assert before[380, 140, 3] == 255
    answer = window.edit(EXACT)
    left, top, right, bottom = answer["changed"]
    assert left <= 80
    assert right >= 200
    assert top <= 360
    assert bottom >= 400
    after = window.tile("cutout", whole, (width, height))
    assert (after[370:390, 100:180, 3] == 0).all()
    outside = np.ones((height, width), np.bool_)
    outside[top:bottom, left:right] = False
    assert (before[outside, 3] == after[outside, 3]).all()
    window.edit()
    assert (window.tile("cutout", whole, (width, height)) == before).all()


def test_what_is_saved_is_what_the_window_has_shown(window: Window) -> None:
    width, height = window.open(PHOTO)
    edits = [Edit("erase", ((370.0, 400.0), (420.0, 430.0)), 30.0), EXACT]
    window.edit(*edits)
    shown = window.tile("cutout", (0, 0, width, height), (width, height))
    header = {"force": True, "recipe": "{}", "named": True, "watched": False, "first": len(PHOTO)}
    answer, output = window.ask(PHOTO, **header, edits=encode(edits))
    assert answer["state"] == "done"
    with Image.open(io.BytesIO(output)) as image:
        saved = np.asarray(image)
    assert np.abs(saved[..., 3].astype(int) - shown[..., 3]).max() <= 2
    answer, output = window.ask(PHOTO, **header)
    with Image.open(io.BytesIO(output)) as image:
        assert np.asarray(image)[380, 140, 3] == 255  # an ordinary request has no edits


def test_the_result_under_a_recipe_is_seen_before_it_is_saved(window: Window) -> None:
    window.open(PHOTO)
    window.edit()
    recipe = json.dumps({"background": "#ffffff", "crop": "5%"})
    answer, data = window.ask(touchup="preview", recipe=recipe, pixels=[300, 300])
    pixels = np.frombuffer(data, np.uint8).reshape(answer["height"], answer["width"], 4)
    assert max(pixels.shape) <= 300
    assert (pixels[0, 0] == 255).all()


def test_another_way_is_seen_without_edits(window: Window) -> None:
    width, height = window.open(PHOTO)
    window.edit(EXACT)
    fast = window.tile("way:u2net-int8", (0, 0, width, height), (64, 64))
    assert fast[47, 17, 3] > 200  # where the edits have erased


def test_a_picture_that_is_a_cut_out_already_can_be_touched_up(window: Window) -> None:
    image = Image.new("RGBA", (300, 200))
    ImageDraw.Draw(image).ellipse((50, 30, 250, 170), fill=(200, 40, 40, 255))
    file = io.BytesIO()
    image.save(file, "PNG")
    window.open(file.getvalue())
    window.edit(Edit("erase", ((150.0, 100.0),), 40.0, exact=True))
    tile = window.tile("cutout", (0, 0, 300, 200), (300, 200))
    assert tile[100, 150, 3] == 0
    assert tile[100, 80, 3] == 255
    assert tile[10, 10, 3] == 0
    edits = encode([Edit("erase", ((150.0, 100.0),), 40.0, exact=True)])
    data, header = file.getvalue(), {"force": False, "recipe": "{}", "named": True, "watched": False}
    for other in (None, PHOTO):  # also where another photo is open by now
        if other is not None:
            window.open(other)
        answer, output = window.ask(data, **header, first=len(data), edits=edits)
        assert answer["state"] == "done"
        with Image.open(io.BytesIO(output)) as saved:
            assert (np.asarray(saved)[..., 3] == tile[..., 3]).all()


def test_an_animation_is_refused_instead_of_saved_without_the_edits(window: Window) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    data, edits = file.getvalue(), encode([EXACT])
    answer, _ = window.ask(data, touchup="open", recipe="{}")
    assert (answer["state"], answer["reason"]) == ("failed", "unsupported")
    header = {"force": True, "named": True, "watched": False, "first": len(data), "edits": edits}
    answer, _ = window.ask(data, **header, recipe="{}")
    assert (answer["state"], answer["reason"]) == ("failed", "unsupported")
    answer, _ = window.ask(data, touchup="open", recipe='{"format": "jpeg"}')  # one frame alone is written
    assert answer["state"] == "done"


def test_only_keeping_says_that_there_is_a_subject(window: Window) -> None:
    file = io.BytesIO()
    Image.new("RGB", (200, 150), (120, 140, 90)).save(file, "PNG")
    data = file.getvalue()
    header = {"force": False, "recipe": "{}", "named": True, "watched": False, "first": len(data)}
    answer, _ = window.ask(data, **header, edits=encode([Edit("drop_part", ((10.0, 10.0),))]))
    assert (answer["state"], answer["reason"]) == ("skipped", "no_clear_subject")
    kept = Edit("keep", ((80.0, 80.0), (120.0, 80.0)), 30.0, exact=True)
    answer, _ = window.ask(data, **header, edits=encode([kept]))
    assert answer["state"] == "done"


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (37, 5)])
def test_odd_photos_can_be_touched_up(window: Window, size: tuple[int, int]) -> None:
    file = io.BytesIO()
    Image.new("RGB", size, (120, 140, 90)).save(file, "PNG")
    assert window.open(file.getvalue()) == size
    window.edit(Edit("keep", ((0.5, 0.5),), 2.0), Edit("hair", ((0.5, 0.5),), 4.0), Edit("drop_part", ((0.0, 0.0),)))
    assert window.tile("cutout", (0, 0, *size), (16, 16)).shape == (16, 16, 4)


def test_strokes_outside_the_photo_change_nothing_and_boxes_there_are_refused(window: Window) -> None:
    width, height = window.open(PHOTO)
    window.edit()
    before = window.tile("cutout", (0, 0, width, height), (128, 128))
    far = ((-5000.0, -5000.0), (-4000.0, -5000.0))
    window.edit(Edit("keep", far, 30.0), Edit("erase", far, 30.0, exact=True), Edit("hair", far, 30.0))
    assert (window.tile("cutout", (0, 0, width, height), (128, 128)) == before).all()
    answer, _ = window.ask(encode([Edit("box", ((-50.0, -50.0), (-5.0, -5.0)))]).encode(), touchup="edits")
    assert (answer["state"], answer["detail"]) == ("failed", "the box is outside the picture. Draw it inside.")


def test_a_message_that_fails_ends_nothing(window: Window) -> None:
    answer, _ = window.ask(b"no picture", touchup="open", recipe="{}")
    assert (answer["state"], answer["reason"]) == ("failed", "unsupported")
    window.open(PHOTO)
    answer, _ = window.ask(b"[{}]", touchup="edits")
    assert answer["state"] == "failed"
    answer, _ = window.ask(b"no picture", touchup="thumbnail", pixels=[64, 64])
    assert answer["state"] == "failed"
    answer, data = window.ask(PHOTO, touchup="thumbnail", pixels=[64, 48])
    assert (answer["width"], answer["height"]) == (48, 48)
    assert len(data) == 48 * 48 * 4


def test_an_animation_between_touched_up_photos_reports_its_frames(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = Image.open(io.BytesIO(PHOTO)).convert("RGB").resize((128, 128))
    frames = [photo, photo.rotate(3), photo.rotate(6)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    seen: list[int] = []
    check = Expected.check

    def spy(self: Expected, header: dict[str, Any]) -> None:
        seen.extend([header["frames"]] if "frames" in header else [])
        check(self, header)

    monkeypatch.setattr(Expected, "check", spy)
    answer, _ = Window(worker).ask(file.getvalue(), recipe='{"format":"webp"}', force=False, named=True, watched=False)
    assert answer["state"] == "done", answer
    assert seen[-1:] == [2]  # the check of the first message is looked up before it is replaced here
