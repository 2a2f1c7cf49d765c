"""The host of the touch-up window: opens photos, keeps the edits, and relays between the window and the worker.

It decodes nothing, and draws nothing. The messages between the two are {"ask": KIND, "id", ...} from the window,
{"answer": id, ...} to it, and {"tell": KIND, ...} to it without a question.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from watcher.editor import content_lock, saving, sources, strings
from watcher.editor.link import Ask, Link, OnAnswer
from watcher.editor.reviewing import Review
from watcher.editor.sources import Photo
from watcher.errors import UNFORESEEN_TEXT, ModelError, NobgError, UsageError, for_desktop, reason_text
from watcher.matting import modes
from watcher.matting.touchup.edits import MAX_TEXT_BYTES, EditsError, encode, parse
from watcher.queue.journal import Journal
from watcher.recipe import Recipe, parse_key
from watcher.settings.config import Config
from watcher.worker import protocol, touchup_answers
from watcher.worker.protocol import Header
from watcher.worker.supervisor import Supervisor
from watcher.worker.tasks import read_background

logger = logging.getLogger(__name__)


class Host:
    """The host of one window. `run` is its loop."""

    def __init__(
        self,
        from_window: BinaryIO,
        to_window: BinaryIO,
        state: Path,
        settings: Config,
        *,
        recipe: str | None = None,
        tool: str = "",
    ) -> None:
        """`recipe`: the name of the recipe to start with; None: that of the cut-out, or the default one.

        `tool`: the tool that the window shows first; "" leaves that to the window. Raises UsageError and ModelError.
        """
        self._from_window, self._to_window = from_window, to_window
        self._state, self._settings, self._tool = state, settings, tool
        self._recipe_name, self._named_recipe = recipe, None if recipe is None else settings.recipe(recipe)
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_over = self._is_window_gone = False
        self._journal = Journal(state)
        self._review: Review | None = None
        self._photo: Photo | None = None
        self._edits = ""
        self._has_sent_edits = False
        self._has_unreadable_edits = False
        self._lock: content_lock.ContentLock | None = None
        mode = modes.find((self._named_recipe and self._named_recipe.model) or settings.model)
        supervisor = Supervisor(modes.find(settings.model), for_touchup=True)
        self._link = Link(supervisor, mode, self._events, self._tell_trouble, lambda: self._is_window_gone)

    def run(self, path: Path | None) -> None:
        """Show the photo or cut-out at `path`, or the grid of those that want a look. Returns when the window ends."""
        threading.Thread(target=self._read_window, daemon=True).start()
        try:
            if path is None:
                self._review = Review(self._journal)
                self._tell("review")
            else:
                self._show(lambda: sources.find(path, self._journal), path.name)
            while not self._is_over:
                self._events.get()()
        finally:
            self._is_window_gone = True
            self._link.close()
            self._unlock()
            self._journal.close()

    # Messages

    def _read_window(self) -> None:
        """Pass on what the window asks. Runs in a thread of its own."""
        limit = protocol.MAX_ANSWER_HEADER_BYTES
        try:
            while (message := protocol.read_message(self._from_window, _check_size, limit)) is not None:
                self._events.put(functools.partial(self._handle, *message))
        except (protocol.ProtocolError, OSError, ValueError) as error:
            logger.warning("The window's output ended early: %s", error)
        self._is_window_gone = True
        self._events.put(self._end)  # after all that it has asked: edits are kept even if nobody waits for them

    def _end(self) -> None:
        self._is_over = True

    def _write(self, header: Header, payload: bytes = b"") -> None:
        """Send a message; drop it if the window has ended: then the end of its output comes soon."""
        try:
            protocol.write_message(self._to_window, header, payload)
        except (OSError, ValueError):
            self._is_window_gone = True

    def _tell(self, kind: str, payload: bytes = b"", **values: Any) -> None:
        self._write({"tell": kind, **values}, payload)

    def _tell_trouble(self, text: str) -> None:
        self._tell("trouble", text=for_desktop(text))

    def _answer(self, number: int, header: Header, payload: bytes = b"") -> None:
        """Answer the window's request `number`. A failure gets a sentence, `text`."""
        if header["state"] == "failed" and "text" not in header:
            text = reason_text(header.get("reason") or "", header.get("detail") or "")
            header = {**header, "text": for_desktop(text)}
        self._write({"answer": number, **header}, payload)

    def _answer_to(self, number: int) -> OnAnswer:
        return functools.partial(self._answer, number)

    def _handle(self, header: Header, payload: bytes) -> None:
        """Do what the window asks. What goes wrong with that is its answer."""
        kind, number = header.get("ask"), header.get("id")
        if self._is_window_gone and kind != "edits":
            return
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is None or not isinstance(number, int):
            logger.warning("The window asks for something unknown")
            return
        self._do(number, lambda: handler(self, number, header, payload))

    def _do(self, number: int, action: Callable[[], None]) -> None:
        try:
            self._refresh_journal()
            action()
        except NobgError as error:
            self._answer(number, {"state": "failed", "text": error.on_desktop})
        except Exception:
            logger.exception("Something unforeseen went wrong in the touch-up window")
            self._answer(number, {"state": "failed", "text": UNFORESEEN_TEXT})

    def _refresh_journal(self) -> None:
        """Open the records again if another program has replaced them since: they were damaged."""
        if not self._journal.is_current():
            self._journal.close()
            self._journal = Journal(self._state)
            self._review = self._review and Review(self._journal)

    # The photo

    def _show(self, find: Callable[[], Photo], name: str) -> None:
        """Open a photo for the window; refuse with a sentence if that fails."""
        self._tell("busy", text=strings.OPENING_FILE.format(name=name))
        try:
            self._open(find())
        except NobgError as error:
            self._refuse(error.on_desktop)

    def _refuse(self, text: str) -> None:
        self._close_photo()
        self._tell("busy", text="")
        self._tell("refused" if self._review is None else "trouble", text=text)

    def _open(self, photo: Photo) -> None:
        """Give the photo to the worker. Raises NobgError."""
        self._close_photo()
        self._lock = content_lock.acquire(self._state, photo.content)
        if self._lock is None:
            raise UsageError(strings.ALREADY_OPEN.format(name=photo.path.name))
        self._photo = photo = sources.with_known_recipe(photo)
        kept = self._journal.edits.of(photo.content)
        self._edits = _valid_edits(kept)
        self._has_unreadable_edits = bool(kept) and not self._edits
        recipe = self._recipe("")
        mode = modes.find(self._settings.model)
        # If this model was removed, Save says so, unless the person takes another recipe.
        with contextlib.suppress(ModelError):
            mode = modes.find(recipe.model or self._settings.model)
        on_answer = functools.partial(self._handle_opened, photo)
        self._link.ask(Ask({"touchup": "open", "recipe": recipe.key()}, photo.source.data, on_answer, mode=mode))

    def _handle_opened(self, photo: Photo, header: Header, _payload: bytes) -> None:
        if photo is not self._photo:
            return
        if header["state"] != "done":
            self._refuse(for_desktop(reason_text(header.get("reason") or "", header.get("detail") or "")))
            return
        self._tell("busy", text="")
        background = self._recipe("").background
        self._tell(
            "opened",
            self._edits.encode(),
            name=photo.path.name,
            width=header["width"],
            height=header["height"],
            notes=header["notes"],
            recipes=self._recipe_labels(),
            background=background if isinstance(background, str) else None,
            tool=self._tool,
        )

    def _close_photo(self) -> None:
        self._photo, self._edits, self._has_sent_edits = None, "", False
        self._link.forget_photo()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _opened_photo(self) -> Photo:
        if self._photo is None:
            raise UsageError(strings.NO_PHOTO)
        return self._photo

    def _recipe(self, name: str) -> Recipe:
        """Return the recipe of this name; "": the one that the person named, or of the cut-out, or the default one."""
        if name:
            return self._settings.recipe(name)
        if self._named_recipe is not None:
            return self._named_recipe
        if self._photo is not None and self._photo.recipe is not None:
            return parse_key(self._photo.recipe)
        return self._settings.base_recipe(None, ())

    def _recipe_labels(self) -> list[list[str]]:
        """Return name and label of each recipe, the one for "" first."""
        if self._recipe_name is not None:
            first = self._recipe_label(self._recipe_name)
        elif self._photo is not None and self._photo.recipe is not None:
            first = strings.RECIPE_OF_CUT_OUT
        else:
            first = strings.RECIPE_DEFAULT
        names = [name for name in self._settings.recipe_names() if name != self._recipe_name]
        return [["", first], *([name, self._recipe_label(name)] for name in names)]

    def _recipe_label(self, name: str) -> str:
        own = self._settings.recipes.get(name)
        return (own and own.label) or strings.RECIPE_LABELS.get(name, name)

    # What the window asks

    def _relay(
        self, number: int, request: Header, payload: bytes = b"", read: Callable[[], bytes] | None = None
    ) -> None:
        if not touchup_answers.is_request(request):
            raise UsageError(strings.NONSENSE)
        self._link.ask(Ask(request, payload, self._answer_to(number), number, read=read))

    def _tile(self, number: int, header: Header, _payload: bytes) -> None:
        self._opened_photo()
        if header.get("layer") != touchup_answers.PHOTO_LAYER and not self._has_sent_edits:
            self._send_edits()
        self._relay(number, {"touchup": "tile", **{name: header.get(name) for name in ("layer", "box", "pixels")}})

    def _send_edits(self, on_answer: OnAnswer | None = None) -> None:
        self._has_sent_edits = True
        ask = Ask({"touchup": "edits"}, self._edits.encode())
        if on_answer is not None:
            ask.on_answer = on_answer
        self._link.ask(ask)

    def _keep_edits(self, number: int, _header: Header, payload: bytes) -> None:
        """Keep the edits, then let the worker apply them: so nothing is lost, whatever ends."""
        photo = self._opened_photo()
        try:
            edits = encode(parse(payload))
        except EditsError as error:
            raise UsageError(f"{error}.") from error
        if edits != self._edits:
            self._edits, self._has_unreadable_edits = edits, False
        try:
            self._store_edits(photo)
        except NobgError as error:
            self._tell_trouble(strings.EDITS_NOT_KEPT.format(text=error.on_desktop))
        self._send_edits(self._answer_to(number))

    def _store_edits(self, photo: Photo) -> None:
        """Keep the edits in the records; those of a later nobg stay until the person draws. Raises NobgError."""
        if not self._has_unreadable_edits:
            self._journal.edits.store(photo.content, self._edits)

    def _preview(self, number: int, header: Header, _payload: bytes) -> None:
        self._opened_photo()
        recipe = self._recipe(str(header.get("recipe") or ""))
        request = {"touchup": "preview", "recipe": recipe.key(), "pixels": header.get("pixels")}
        self._relay(number, request, read_background(recipe))

    def _cancel(self, _number: int, header: Header, _payload: bytes) -> None:
        ids = header.get("ids")
        if isinstance(ids, list):
            self._link.cancel(number for number in ids if isinstance(number, int))

    def _save(self, number: int, header: Header, _payload: bytes) -> None:
        photo, key = self._opened_photo(), self._recipe(str(header.get("recipe") or "")).key()
        self._store_edits(photo)  # they may not have been kept when they came; Save takes those of the records

        def save() -> None:
            output = saving.save(photo, key, self._journal, self._link.supervisor)
            self._answer(number, {"state": "done", "output": output.name})

        self._run_alone(number, strings.SAVING_FILE, save)

    def _run_alone(self, number: int, busy_text: str, action: Callable[[], None]) -> None:
        """Run `action`, which gives the worker pictures itself, when the worker has no other request."""

        def run() -> None:
            self._tell("busy", text=busy_text)
            try:
                self._do(number, action)
            finally:
                self._tell("busy", text="")

        self._link.run_alone(run, self._answer_to(number))

    def _close(self, _number: int, _header: Header, _payload: bytes) -> None:
        self._end()

    # The grid of those that want a look

    def _grid(self) -> Review:
        if self._review is None:
            self._review = Review(self._journal)
        return self._review

    def _review_list(self, number: int, _header: Header, _payload: bytes) -> None:
        self._answer(number, {"state": "done", "jobs": self._grid().entries()})

    def _review_thumbnail(self, number: int, header: Header, _payload: bytes) -> None:
        def read() -> bytes:
            self._refresh_journal()
            return self._grid().picture(header.get("job"), header.get("which"))

        self._relay(number, {"touchup": "thumbnail", "pixels": header.get("pixels")}, read=read)

    def _accept(self, number: int, header: Header, _payload: bytes) -> None:
        self._grid().accept(header.get("job"))
        self._answer_with_entry(number, header)

    def _undo(self, number: int, header: Header, _payload: bytes) -> None:
        self._grid().undo(header.get("job"))
        self._answer_with_entry(number, header)

    def _try_best(self, number: int, header: Header, _payload: bytes) -> None:
        def try_best() -> None:
            self._grid().try_best(header.get("job"), self._link.supervisor)
            self._answer_with_entry(number, header)

        self._run_alone(number, strings.TRYING_BEST, try_best)

    def _answer_with_entry(self, number: int, header: Header) -> None:
        self._answer(number, {"state": "done", "job": self._grid().entry(header.get("job"))})

    def _touch_up(self, number: int, header: Header, _payload: bytes) -> None:
        photo = self._grid().photo(header.get("job"))
        self._answer(number, {"state": "done"})
        self._show(lambda: photo, photo.path.name)

    def _back(self, number: int, _header: Header, _payload: bytes) -> None:
        self._close_photo()
        self._grid()
        self._answer(number, {"state": "done"})
        self._tell("review")


_HANDLERS: dict[str, Callable[[Host, int, Header, bytes], None]] = {
    "tile": Host._tile,  # noqa: SLF001  of this module
    "edits": Host._keep_edits,  # noqa: SLF001
    "preview": Host._preview,  # noqa: SLF001
    "cancel": Host._cancel,  # noqa: SLF001
    "save": Host._save,  # noqa: SLF001
    "close": Host._close,  # noqa: SLF001
    "review_list": Host._review_list,  # noqa: SLF001
    "review_thumbnail": Host._review_thumbnail,  # noqa: SLF001
    "accept": Host._accept,  # noqa: SLF001
    "undo": Host._undo,  # noqa: SLF001
    "try_best": Host._try_best,  # noqa: SLF001
    "touch_up": Host._touch_up,  # noqa: SLF001
    "back": Host._back,  # noqa: SLF001
}


def _check_size(header: Header) -> None:
    """Raise ProtocolError for a payload that no request has."""
    if header["size"] > MAX_TEXT_BYTES:
        raise protocol.ProtocolError("a request of an impossible size")


def _valid_edits(text: str) -> str:
    """Return the edits as `encode` writes them; "" if the text is no list of edits."""
    try:
        return encode(parse(text))
    except EditsError as error:
        logger.warning("The edits in the records are left out: %s", error)
        return ""
