"""The connection to the session bus, and which program on it shows icons (the host)."""

from __future__ import annotations

import asyncio

from dbus_fast import DBusFastError, Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus

from watcher.desktop import session_bus
from watcher.desktop.status_notifier.protocol import BUS, BUS_PATH, WATCHER

BUS_TIMEOUT_SECONDS = 3.0  # seconds for the bus to answer at the start


async def connect() -> MessageBus:
    """Connect to the session bus. Raises ConnectionError."""
    address = session_bus.address()
    try:
        async with asyncio.timeout(BUS_TIMEOUT_SECONDS):
            return await MessageBus(address).connect()
    except (OSError, EOFError, ValueError, DBusFastError) as error:
        raise ConnectionError(f"The session bus does not answer ({address}): {error}") from error


async def watch_host(bus: MessageBus) -> str:
    """Subscribe to changes of the host (NameOwnerChanged), and return the host as `get_host` does.

    Raises ConnectionError.
    """
    rule = f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{WATCHER}'"
    try:
        async with asyncio.timeout(BUS_TIMEOUT_SECONDS):
            await bus.call(make_call(BUS, BUS_PATH, BUS, "AddMatch", rule))
            return await get_host(bus)
    except (OSError, EOFError, DBusFastError) as error:
        raise ConnectionError(f"The session bus does not answer: {error}") from error


async def get_host(bus: MessageBus) -> str:
    """Return the name on the bus of the host that shows icons; empty if there is no host."""
    answer = await bus.call(make_call(BUS, BUS_PATH, BUS, "GetNameOwner", WATCHER))
    host: str = answer.body[0] if answer.message_type is MessageType.METHOD_RETURN else ""
    return host


def has_host() -> bool:
    """Return whether a program on the session bus shows icons."""

    async def query() -> bool:
        bus = await connect()
        try:
            return bool(await get_host(bus))
        finally:
            bus.disconnect()

    try:
        return asyncio.run(query())
    except (OSError, EOFError, DBusFastError):
        return False


def make_call(destination: str, path: str, interface: str, member: str, argument: str | None) -> Message:
    """Make a method call with one string as its argument."""
    return Message(
        destination=destination,
        path=path,
        interface=interface,
        member=member,
        signature="s",
        body=[argument],
        flags=MessageFlag.NO_AUTOSTART,  # do not start a host on a desktop that has none
    )
