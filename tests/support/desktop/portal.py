"""A stand-in for the desktop's portal: it notes what it is asked, and answers as a person's choice would."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus

from tests.support.desktop.tray_host import plain

NAME = "org.freedesktop.portal.Desktop"
TIMEOUT_SECONDS = 10.0  # for what takes milliseconds


class Portal:
    """A portal on the bus with this address, in a thread of its own.

    `version`: of its file chooser; None: it has none. `answer` gives the code and the addresses that it answers with;
    None: it ends instead. `asked` is the body of each request.
    """

    def __init__(
        self, address: str, answer: Callable[[], tuple[int, list[str]] | None], version: int | None = 4
    ) -> None:
        self._address = address
        self._answer = answer
        self._version = version
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._bus: MessageBus | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.asked: list[list[Any]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self._connect())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait(self._disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_SECONDS)
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_SECONDS)

    async def _connect(self) -> None:
        self._bus = await MessageBus(self._address).connect()
        self._bus.add_message_handler(self._on_message)
        await self._bus.request_name(NAME)

    async def _disconnect(self) -> None:
        assert self._bus is not None
        self._bus.disconnect()
        with contextlib.suppress(Exception):  # the bus may be gone already
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    def _on_message(self, message: Message) -> Message | bool | None:
        if message.destination != NAME:
            return None
        if self._version is None:
            return Message.new_error(message, "org.freedesktop.DBus.Error.InvalidArgs", "no such interface")
        if message.member == "Get":
            return Message.new_method_return(message, "v", [Variant("u", self._version)])
        assert message.member == "OpenFile"
        self.asked.append(plain(message.body))
        assert message.sender is not None
        sender = message.sender[1:].replace(".", "_")
        path = f"/org/freedesktop/portal/desktop/request/{sender}/{self.asked[-1][2]['handle_token']}"
        task = asyncio.ensure_future(self._respond(message.sender, path))
        self._tasks.add(task)
        return Message.new_method_return(message, "o", [path])

    async def _respond(self, sender: str, path: str) -> None:
        assert self._bus is not None
        answer = self._answer()
        if answer is None:
            await self._bus.release_name(NAME)
            return
        code, addresses = answer
        results = {"uris": Variant("as", addresses)} if addresses else {}
        signal = Message.new_signal(path, "org.freedesktop.portal.Request", "Response", "ua{sv}", [code, results])
        signal.destination = sender
        await self._bus.send(signal)
