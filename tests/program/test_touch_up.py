"""touch_up.py: whether the window can be started. How, `nobg edit` shows."""

import importlib.util
import sys

import pytest

from watcher.errors import UsageError
from watcher.program import touch_up


def test_the_library_is_looked_for_and_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(sys.modules)
    assert touch_up.is_available() is (importlib.util.find_spec("PySide6") is not None)
    assert not {name for name in set(sys.modules) - before if name.startswith("PySide6")}
    monkeypatch.setattr(touch_up, "LIBRARY", "no_such_library")
    with pytest.raises(UsageError) as caught:
        touch_up.check_available()
    assert "pip" not in caught.value.on_desktop
