"""A session bus of each test's own, and a host on it."""

from collections.abc import Iterator

import pytest

from tests.support.desktop.private_bus import private_bus
from tests.support.desktop.tray_host import Host


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a private bus, which is the session bus for this test."""
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def host(bus: str) -> Iterator[Host]:
    """A host on that bus."""
    with Host(bus) as host:
        yield host
