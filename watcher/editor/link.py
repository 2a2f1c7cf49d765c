"""The host's link to the worker: sends requests in a useful order, and repeats them if a worker dies.

Its methods are called in the host's thread alone. One thread for each worker waits for the answers, and puts what to do
with them in the host's queue of events.
"""

from __future__ import annotations

import functools
import itertools
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from watcher.editor import strings
from watcher.errors import ModelError, NobgError, WorkerError
from watcher.matting.modes import Mode
from watcher.worker import touchup_answers
from watcher.worker.protocol import Header, ProtocolError
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, StoppedError, Supervisor, Worker, WorkerDiedError

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT = 2
"""Requests that the worker may have: the next one is there when it has done the first."""
MAX_DEATHS = 3
"""How often the worker may die with a request, in a row, before the request fails."""

Events = queue.SimpleQueue[Callable[[], None]]
OnAnswer = Callable[[Header, bytes], None]

_STATE_KINDS = ("open", "edits")
"""Requests that change what the worker knows. It has at most one of them at once, so that their order is never lost."""


def _ignore(_header: Header, _payload: bytes) -> None:
    pass


@dataclass(eq=False)
class Ask:
    """A request to the worker, and what to do with its answer.

    `number`: the window's number of the request, by which it may cancel it. `deaths`: how many workers in a row have
    died while this was the first of their requests. `read`: for a thumbnail, called for the payload when its turn
    comes; a NobgError that it raises is the answer. `mode`: that of the worker from now on; None: as before.
    """

    request: Header
    payload: bytes = b""
    on_answer: OnAnswer = _ignore
    number: int = -1
    deaths: int = 0
    read: Callable[[], bytes] | None = None
    mode: Mode | None = None

    @property
    def kind(self) -> str:
        """What is asked for."""
        return str(self.request["touchup"])

    @property
    def is_slow(self) -> bool:
        """Whether it is a tile of another way: networks have to look at the photo first."""
        return str(self.request.get("layer", "")).startswith(touchup_answers.WAY)

    @property
    def is_open(self) -> bool:
        """Whether somebody waits for the answer."""
        return self.on_answer is not _ignore

    def answer(self, header: Header, payload: bytes = b"") -> None:
        """Pass an answer on, once."""
        on_answer, self.on_answer = self.on_answer, _ignore
        on_answer(header, payload)


@dataclass(frozen=True)
class _Alone:
    """What is done while the worker has no request. `on_fail`: gets the answer if no worker can be had."""

    action: Callable[[], None]
    on_fail: OnAnswer


class Link:
    """The requests to the worker of one window."""

    def __init__(
        self,
        supervisor: Supervisor,
        mode: Mode,
        events: Events,
        on_trouble: Callable[[str], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """`on_trouble`: gets a sentence for the person. `should_stop`: whether the window has gone."""
        self.supervisor = supervisor
        self._mode = mode
        self._events = events
        self._on_trouble = on_trouble
        self._should_stop = should_stop
        self._worker: Worker | None = None
        self._permits: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._ids = itertools.count(1)
        self._in_flight: deque[Ask] = deque()
        self._waiting: deque[Ask | _Alone] = deque()
        self._tiles: list[Ask] = []
        self._thumbnails: deque[Ask] = deque()
        self._state: list[Ask] = []
        self._good_edits: Ask | None = None
        self._size = (0, 0)
        self._edits_worker: Worker | None = None

    def ask(self, ask: Ask) -> None:
        """Send a request as soon as its turn comes: tiles after all others, the newest first; then thumbnails."""
        if ask.kind == "tile":
            self._tiles.append(ask)
        elif ask.kind == "thumbnail":
            self._thumbnails.append(ask)
        else:
            self._waiting.append(ask)
        self._send_more()

    def run_alone(self, action: Callable[[], None], on_fail: OnAnswer) -> None:
        """Call `action` when the worker has no request: it may give it pictures itself.

        If its turn cannot come, since no worker can be had, `on_fail` gets the answer.
        """
        self._waiting.append(_Alone(action, on_fail))
        self._send_more()

    def cancel(self, numbers: Iterable[int]) -> None:
        """Drop the tiles with these numbers that have not been sent."""
        dropped = set(numbers)
        gone = [ask for ask in self._tiles if ask.number in dropped]
        self._tiles = [ask for ask in self._tiles if ask.number not in dropped]
        for ask in gone:
            ask.answer({"state": "dropped"})

    def forget_photo(self) -> None:
        """Drop what has not been sent about the present photo: another one comes."""
        waiting = [ask for ask in self._waiting if isinstance(ask, Ask)]
        self._waiting = deque(ask for ask in self._waiting if ask not in waiting)
        dropped = [*self._tiles, *waiting]
        self._tiles, self._state, self._good_edits, self._edits_worker = [], [], None, None
        for ask in dropped:
            ask.answer({"state": "dropped"})

    def close(self) -> None:
        """End the worker."""
        self._permits.put(False)
        self.supervisor.stop_worker()

    def _send_more(self) -> None:
        while len(self._in_flight) < MAX_IN_FLIGHT and (following := self._next()) is not None:
            if not isinstance(following, Ask):
                following.action()
                continue
            self._mode = following.mode or self._mode
            try:
                worker = self._ensure_worker()
            except (ModelError, WorkerError) as error:
                self._fail_all([following], error.on_desktop)
                return
            except StoppedError:
                return
            self._send(worker, following)

    def _next(self) -> Ask | _Alone | None:
        """Take the next request whose turn it is; None if there is none now."""
        if not self._waiting:
            return self._next_tile() or self._next_thumbnail()
        first = self._waiting[0]
        if isinstance(first, Ask):
            is_blocked = first.kind in _STATE_KINDS and any(ask.kind in _STATE_KINDS for ask in self._in_flight)
            if first.mode not in (None, self._mode):  # the worker will be another one
                is_blocked = bool(self._in_flight)
        else:
            is_blocked = bool(self._in_flight)
        return None if is_blocked else self._waiting.popleft()

    def _next_tile(self) -> Ask | None:
        """Take the newest tile that needs no network; else one of another way, if the worker has none: it is slow."""
        quick = [ask for ask in self._tiles if not ask.is_slow]
        if not self._tiles or (not quick and any(ask.is_slow for ask in self._in_flight)):
            return None
        chosen = (quick or self._tiles)[-1]
        self._tiles.remove(chosen)
        return chosen

    def _next_thumbnail(self) -> Ask | None:
        """Take the oldest thumbnail whose file can be read, and read it now: many in memory would be too much."""
        while self._thumbnails:
            ask = self._thumbnails.popleft()
            try:
                ask.payload = ask.payload if ask.read is None else ask.read()
            except NobgError as error:
                ask.answer({"state": "failed", "text": error.on_desktop})
            else:
                return ask
        return None

    def _ensure_worker(self) -> Worker:
        """Return a worker that knows the photo and the edits. Raises ModelError, WorkerError, StoppedError."""
        worker = self.supervisor.ensure_worker(self._mode, self._should_stop)
        if worker is not self._worker:
            self._permits.put(False)
            self._worker, self._permits = worker, queue.SimpleQueue()
            arguments = (worker, self._permits, self._events)
            threading.Thread(target=self._wait_for_answers, args=arguments, daemon=True).start()
            state, self._state = self._state, []
            for ask in state:
                self._send(worker, ask)
        return worker

    def _send(self, worker: Worker, ask: Ask) -> None:
        if ask.kind == "open":
            self._state = [ask]
        elif ask.kind == "edits":
            self._state = [*self._state[:1], ask]
        worker.send({**ask.request, "id": next(self._ids)}, ask.payload)
        self._in_flight.append(ask)
        self._permits.put(True)

    def _wait_for_answers(self, worker: Worker, permits: queue.SimpleQueue[bool], events: Events) -> None:
        """Wait for one answer for each permit. Runs in a thread of its own, until the worker or its permits end."""
        while permits.get():
            try:
                header, payload = worker.receive(PICTURE_TIMEOUT_SECONDS)
            except WorkerDiedError as error:
                logger.warning("The worker died: %s", error)
                events.put(functools.partial(self._handle_death, worker))
                return
            events.put(functools.partial(self._handle_answer, worker, header, payload))

    def _handle_answer(self, worker: Worker, header: Header, payload: bytes) -> None:
        if worker is not self._worker:
            return
        ask = self._in_flight[0]
        try:
            answer = touchup_answers.check(ask.request, header, payload)
        except ProtocolError as error:
            logger.warning("The worker is ended: it sent %s", error)
            self._handle_death(worker)
            return
        self._in_flight.popleft()
        ask.deaths = 0
        has_failed = answer["state"] == "failed"
        if ask.kind == "open" and not has_failed:
            self._size = (answer["width"], answer["height"])
        elif ask.kind == "edits":
            self._settle_edits(ask, has_failed=has_failed)
            answer = answer if has_failed else self._changed_since_shown(worker, answer)
        ask.answer(answer, payload)
        self._send_more()

    def _changed_since_shown(self, worker: Worker, answer: Header) -> Header:
        """Return an answer to edits whose `changed` holds for what the window shows.

        A worker knows what its own edits before have changed, but not those of a worker that has died.
        """
        is_new = self._edits_worker not in (None, worker)
        self._edits_worker = worker
        return {**answer, "changed": [0, 0, *self._size]} if is_new else answer

    def _settle_edits(self, ask: Ask, *, has_failed: bool) -> None:
        """Remember edits that the worker could apply; those that it could not are not repeated to the next worker."""
        if not has_failed:
            self._good_edits = ask
        elif ask in self._state:
            self._state = [*self._state[:1], *filter(None, [self._good_edits])]

    def _handle_death(self, worker: Worker) -> None:
        """Replace the worker, and repeat what it has not answered, except a request that has ended too many."""
        if worker is not self._worker:
            return
        self._forget_worker()
        lost, self._in_flight = list(self._in_flight), deque()
        lost[0].deaths += 1
        has_failed = lost[0].deaths >= MAX_DEATHS
        self._on_trouble(strings.WORKER_FAILS if has_failed else strings.WORKER_RESTARTED)
        if has_failed and not self._give_up(lost.pop(0)):
            self._fail_all(lost, strings.WORKER_FAILS)
            return
        again = [ask for ask in lost if ask not in self._state and ask.is_open]
        self._thumbnails.extendleft(reversed([ask for ask in again if ask.kind == "thumbnail"]))
        self._waiting.extendleft(reversed([ask for ask in again if ask.kind not in ("tile", "thumbnail")]))
        self._tiles.extend(reversed([ask for ask in again if ask.kind == "tile"]))
        self._replay_state()
        self._send_more()

    def _give_up(self, ask: Ask) -> bool:
        """Answer that a request has failed. Return whether the next worker can go without it."""
        ask.deaths = 0
        if ask.kind == "open" and not ask.is_open:
            return False
        if ask.kind == "edits":
            self._settle_edits(ask, has_failed=True)
            if self._good_edits is ask:  # it has worked once, and does no more
                self._state, self._good_edits = self._state[:1], None
        elif ask.kind == "open":
            self.forget_photo()
        ask.answer({"state": "failed", "reason": "worker_died", "detail": strings.WORKER_FAILS})
        return True

    def _replay_state(self) -> None:
        """Start the next worker at once if somebody waits for what the last one was told, and not only for tiles."""
        if any(ask.is_open for ask in self._state):
            try:
                self._ensure_worker()
            except (ModelError, WorkerError) as error:
                self._fail_all([], error.on_desktop)
            except StoppedError:
                return

    def _fail_all(self, asks: Iterable[Ask], text: str) -> None:
        """Answer that these requests and all others have failed: no worker can be had. The next request tries again."""
        self._forget_worker()
        failed = [*asks, *self._state, *self._waiting, *self._tiles, *self._thumbnails]
        self._waiting, self._tiles, self._thumbnails, self._in_flight = deque(), [], deque(), deque()
        for ask in failed:
            on_answer = ask.answer if isinstance(ask, Ask) else ask.on_fail
            on_answer({"state": "failed", "reason": "worker_died", "detail": text}, b"")

    def _forget_worker(self) -> None:
        self._permits.put(False)
        self._worker = None
        self.supervisor.stop_worker()
