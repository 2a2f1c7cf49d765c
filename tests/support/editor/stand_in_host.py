"""The host's side of the window's pipes: a photo and an alpha in memory, edits painted on it, answers that can wait."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from watcher.matting.touchup.edits import Edit, encode, parse
from watcher.worker.protocol import Header, TruncatedError, read_message, write_message

SUBJECT, GROUND = (200, 60, 40), (40, 90, 160)


def plain_photo(width: int = 1200, height: int = 800) -> tuple[Image.Image, Image.Image]:
    """Return a photo of a red disc on blue, and the disc's alpha."""
    alpha = Image.new("L", (width, height))
    radius = min(width, height) // 3
    x, y = width // 2, height // 2
    ImageDraw.Draw(alpha).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    photo = Image.new("RGB", (width, height), GROUND)
    photo.paste(SUBJECT, mask=alpha)
    return photo, alpha


@dataclass
class StandInHost:
    """Answers the window. `asked`: all requests with their payloads. `hold`: kinds whose answers wait for `release`."""

    photo: Image.Image
    alpha: Image.Image
    name: str = "photo.jpg"
    jobs: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[Header, bytes]] = field(default_factory=list)
    hold: set[str] = field(default_factory=set)
    failing: dict[str, str] = field(default_factory=dict)
    """A kind of request -> the sentence with which it fails."""

    def __post_init__(self) -> None:
        self.edited = self.alpha
        self._held: list[tuple[Header, bytes]] = []
        self._lock = threading.Lock()
        self._sink: BinaryIO | None = None

    def attach(self, sink: BinaryIO) -> None:
        """Write to the window through this pipe."""
        self._sink = sink

    def serve(self, source: BinaryIO) -> None:
        """Answer until the window has gone."""
        with source, contextlib.suppress(BrokenPipeError, ValueError, TruncatedError):  # the window has gone
            while (message := read_message(source)) is not None:
                with self._lock:
                    self.asked.append(message)
                    if message[0]["ask"] in self.hold:
                        self._held.append(message)
                        continue
                self._answer(*message)

    def tell(self, kind: str, payload: bytes = b"", **fields: object) -> None:
        """Tell the window something that it has not asked."""
        assert self._sink is not None
        with self._lock:
            write_message(self._sink, {"tell": kind, **fields}, payload)

    def open(self, edits: tuple[Edit, ...] = (), **fields: object) -> None:
        """Tell the window to show the photo."""
        recipes = [["transparent", "Transparent"], ["white", "White background"]]
        values = {"recipes": recipes, "background": "#ffffff", "tool": "", **fields}
        size = {"width": self.photo.width, "height": self.photo.height}
        self.tell("opened", encode(edits).encode(), name=self.name, **size, **values)

    def release(self, *kinds: str) -> None:
        """Answer what was held, and hold these kinds no longer."""
        with self._lock:
            self.hold -= set(kinds)
            ready = [message for message in self._held if message[0]["ask"] in kinds]
            self._held = [message for message in self._held if message[0]["ask"] not in kinds]
        for message in ready:
            self._answer(*message)

    def release_one(self, kind: str) -> None:
        """Answer the first request of a kind that was held, and go on to hold the others."""
        with self._lock:
            message = next(message for message in self._held if message[0]["ask"] == kind)
            self._held.remove(message)
        self._answer(*message)

    def requests(self, kind: str) -> list[Header]:
        """Return the requests of a kind so far."""
        with self._lock:
            return [header for header, _ in self.asked if header["ask"] == kind]

    def edit_lists(self) -> list[tuple[Edit, ...]]:
        """Return the lists of edits that the window has sent so far."""
        with self._lock:
            return [parse(payload) for header, payload in self.asked if header["ask"] == "edits"]

    def _answer(self, header: Header, payload: bytes) -> None:
        kind = header["ask"]
        if kind in ("cancel", "close", "back", "touch_up"):
            if kind == "touch_up":
                self.open()
            elif kind == "back":
                self.tell("review")
            return
        if kind in self.failing:
            fields, data = {"state": "failed", "text": self.failing[kind]}, b""
        else:
            answer: Callable[[Header, bytes], tuple[dict[str, Any], bytes]] = getattr(self, f"_{kind}")
            fields, data = answer(header, payload)
        assert self._sink is not None
        with self._lock:
            write_message(self._sink, {"answer": header["id"], "state": "done", **fields}, data)

    def _tile(self, header: Header, _payload: bytes) -> tuple[dict[str, Any], bytes]:
        box, size = tuple(header["box"]), tuple(header["pixels"])
        layer = header["layer"]
        photo = self.photo.resize(size, Image.Resampling.BOX, box)
        if layer == "photo":
            return {}, photo.tobytes()
        alpha = self.edited
        if layer.startswith("way:"):
            alpha = self.alpha.filter(ImageFilter.GaussianBlur(2 + 3 * len(layer)))
        photo.putalpha(alpha.resize(size, Image.Resampling.BOX, box))
        return {}, photo.tobytes()

    def _edits(self, _header: Header, payload: bytes) -> tuple[dict[str, Any], bytes]:
        before, self.edited = self.edited, self.alpha.copy()
        for edit in parse(payload):
            self._apply(edit)
        box = ImageChops.difference(before, self.edited).getbbox()
        return {"changed": box, "area": 0.5, "ways": ["fast", "balanced", "best", "isnet"]}, b""

    def _preview(self, header: Header, _payload: bytes) -> tuple[dict[str, Any], bytes]:
        image = self.photo.copy()
        image.putalpha(self.edited)
        image = image.crop(self.edited.getbbox())
        image.thumbnail(tuple(header["pixels"]))
        if header["recipe"] == "white":
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return {"width": image.width, "height": image.height}, image.tobytes()

    def _save(self, _header: Header, _payload: bytes) -> tuple[dict[str, Any], bytes]:
        return {"output": self.name.rpartition(".")[0] + "_nobg.png"}, b""

    def _review_list(self, _header: Header, _payload: bytes) -> tuple[dict[str, Any], bytes]:
        return {"jobs": self.jobs}, b""

    def _review_thumbnail(self, header: Header, _payload: bytes) -> tuple[dict[str, Any], bytes]:
        image = self.photo.convert("RGBA")
        if header["which"] == "after":
            image.putalpha(self.edited)
        image = ImageOps.contain(image, tuple(header["pixels"]))
        return {"width": image.width, "height": image.height}, image.tobytes()

    def _accept(self, header: Header, _payload: bytes) -> tuple[dict[str, Any], bytes]:
        self.jobs = [job for job in self.jobs if job["id"] != header["job"]]
        return {}, b""

    _undo = _accept

    def _try_best(self, _header: Header, _payload: bytes) -> tuple[dict[str, Any], bytes]:
        return {}, b""

    def _apply(self, edit: Edit) -> None:
        alpha = self.edited
        draw, value = ImageDraw.Draw(alpha), 0 if edit.tool in ("erase", "drop_part") else 255
        if edit.tool in ("keep", "erase"):
            radius = edit.size / 2
            if len(edit.points) > 1:
                draw.line(list(edit.points), fill=value, width=max(1, round(edit.size)), joint="curve")
            for x, y in edit.points:
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value)
        elif edit.tool == "box":
            (left, top), (right, bottom) = edit.points
            kept = alpha.crop((round(left), round(top), round(right), round(bottom)))
            alpha.paste(0, (0, 0, *alpha.size))
            alpha.paste(kept, (round(left), round(top)))
        elif edit.tool == "drop_part":  # there is only one part
            alpha.paste(0, (0, 0, *alpha.size))
        elif edit.tool == "keep_part":
            alpha.paste(self.alpha)
