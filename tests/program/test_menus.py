"""program/menus.py: how nobg describes itself to the integrations."""

from __future__ import annotations

import os
import sys

import pytest

from watcher.errors import UsageError
from watcher.program import menus
from watcher.settings.config import Config

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the file managers of Linux")


def test_the_client_is_called_by_a_path_that_exists() -> None:
    setup = menus.make_setup()
    assert setup.client_command[:1] == ("/usr/bin/env",)
    assert all(os.path.exists(word) for word in setup.client_command if os.path.isabs(word))
    assert os.path.dirname(setup.client_command[2]) == os.path.dirname(sys.executable)


def test_without_installed_commands_the_checkout_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.delenv("NOBG_HOME")
    monkeypatch.setattr("watcher.settings.config.load", lambda _: Config())
    client = menus.make_setup().client_command
    assert client[1:2] == ("-P",)
    assert client[2].endswith("integrations/checkout.py")
    assert os.path.exists(client[2])
    assert client[3:] == ("add",)


def test_a_path_that_is_not_valid_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOBG_HOME", "/tmp/\udcff")
    with pytest.raises(UsageError, match="not valid text"):
        menus.make_setup()
