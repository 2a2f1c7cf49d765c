"""Values in the Windows registry below HKEY_CURRENT_USER: written, taken away again, and as a .reg file."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from integrations.base import Artifact, IntegrationError, RecordEntry, make_entry

if sys.platform == "win32":
    import winreg
else:
    winreg: Any = None  # tests put a stand-in here

ROOT_KEY = "HKEY_CURRENT_USER"
OWN_KEY_PREFIX = "nobg."
"""Keys whose names begin so are ours, and what is in them, however it came there: with a .reg file, for instance."""


@dataclass(frozen=True)
class RegistryValue:
    """A text in the registry; `key` below HKEY_CURRENT_USER, `name` empty for the key's default value."""

    key: str
    name: str
    data: str


@dataclass(frozen=True)
class RegistryValues(Artifact):
    """Values of ours, and the keys they need. One piece for all that belongs together, so that none forgets a key."""

    base_key: str
    values: tuple[RegistryValue, ...]
    kind: ClassVar[str] = "registry"

    @property
    def address(self) -> str:
        """The key that all is in."""
        return rf"{ROOT_KEY}\{self.base_key}"

    @property
    def folder(self) -> Path | None:
        """In none."""
        return None

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """Of each value what it will be and what it is of ours; and the keys that are there for our sake alone."""
        known = {(key, name): texts for key, name, texts in previous["values"]} if previous else {}
        keys = set(previous["keys"]) if previous else set()
        for value in self.values:
            texts = known.get((value.key, value.name), [])[:1]
            now = _read_value(value.key, value.name)
            if now is not None and _is_ours(value.key):
                texts = [*texts, now]
            if now not in (None, value.data, *texts):
                where = _location(value.key, value.name)
                raise IntegrationError(f"{where} is {now!r} already, which is not of nobg, so it was left.")
            known[value.key, value.name] = list(dict.fromkeys([value.data, *texts]))
            keys.update(key for key in _key_and_parents(value.key) if _is_ours(key) or not _key_exists(key))
        return make_entry(self, values=[[*place, texts] for place, texts in known.items()], keys=sorted(keys))

    def write(self, entry: RecordEntry) -> None:
        """What is not so yet; and away with what an older nobg wrote beside it."""
        wanted = {(value.key, value.name): value.data for value in self.values}
        missing = [place for place, data in wanted.items() if _read_value(*place) != data]
        known = {(key, name): texts for key, name, texts in entry["values"]}
        stale = [place for place in known if place not in wanted and _read_value(*place) in known[place]]
        for place in missing:
            _set_value(*place, wanted[place])
        for place in stale:
            _delete_value(*place)
        if missing or stale:
            _delete_empty_keys(entry["keys"])
            notify_explorer()

    def preview(self) -> str:
        """As a .reg file."""
        return reg_file(self.values)

    def find_problem(self, _entry: RecordEntry) -> str | None:
        """The first value that is gone or not as we want it."""
        for value in self.values:
            now = _read_value(value.key, value.name)
            if now != value.data:
                what = "is gone" if now is None else "is from an older or moved nobg, or was changed"
                return f"{_location(value.key, value.name)} {what}"
        return None

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """The values that still are as we wrote them, then our keys where nothing is left in them."""
        for key, name, texts in entry["values"]:
            if _read_value(key, name) in texts:
                _delete_value(key, name)
        _delete_empty_keys(entry["keys"])
        notify_explorer()
        left = [_location(key, name) for key, name, _ in entry["values"] if _read_value(key, name) is not None]
        left += [_location(key) for key in entry["keys"] if _is_ours(key) and _key_exists(key)]
        return f"{left[0]} holds something that nobg did not write, so it was left." if left else None


def reg_file(values: Iterable[RegistryValue]) -> str:
    """A .reg file of version 5, in ASCII: so it stays valid whatever a shell does to the encoding of what we print."""
    lines, key = ["Windows Registry Editor Version 5.00"], ""
    for value in values:
        if value.key != key:
            key = value.key
            lines += ["", f"[{ROOT_KEY}\\{key}]"]
        lines.append(f"{_quote(value.name) if value.name else '@'}={_format_data(value.data)}")
    return "".join(f"{line}\n" for line in lines)


def encode_reg_file(text: str) -> bytes:
    """A .reg file as regedit itself writes it."""
    return text.replace("\n", "\r\n").encode("utf-16-le").join((b"\xff\xfe", b""))


def _format_data(text: str) -> str:
    if text.isascii():
        return _quote(text)
    codes = [f"{code:02x}" for code in f"{text}\0".encode("utf-16-le")]
    lines = [",".join(codes[start : start + 24]) for start in range(0, len(codes), 24)]
    return "hex(1):" + ",\\\n  ".join(lines)


def _quote(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _is_ours(key: str) -> bool:
    return f"\\{OWN_KEY_PREFIX}" in key


def _key_and_parents(key: str) -> Iterator[str]:
    """The key and those above it, but the root."""
    while key:
        yield key
        key = key.rpartition("\\")[0]


def _location(key: str, name: str = "") -> str:
    return rf"{ROOT_KEY}\{key}" + (f", value {name}" if name else "")


@contextlib.contextmanager
def _errors_naming_key(key: str) -> Iterator[None]:
    """Errors of winreg do not say where they happened."""
    try:
        yield
    except OSError as error:
        error.filename = _location(key)
        raise


def _key_exists(key: str) -> bool:
    try:
        with _errors_naming_key(key), winreg.OpenKey(winreg.HKEY_CURRENT_USER, key):
            return True
    except FileNotFoundError:
        return False


def _read_value(key: str, name: str) -> str | None:
    try:
        with _errors_naming_key(key), winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:
            data, _kind = winreg.QueryValueEx(opened, name)
    except FileNotFoundError:
        return None
    return data if isinstance(data, str) else repr(data)


def _set_value(key: str, name: str, data: str) -> None:
    with _errors_naming_key(key), winreg.CreateKeyEx(winreg.HKEY_CURRENT_USER, key, 0, winreg.KEY_SET_VALUE) as opened:
        winreg.SetValueEx(opened, name, 0, winreg.REG_SZ, data)


def _delete_value(key: str, name: str) -> None:
    with _errors_naming_key(key), winreg.OpenKey(winreg.HKEY_CURRENT_USER, key, 0, winreg.KEY_SET_VALUE) as opened:
        winreg.DeleteValue(opened, name)


def _delete_empty_keys(keys: Iterable[str]) -> None:
    """Those of them that hold neither keys nor values, from the innermost outwards."""
    for key in sorted(keys, key=len, reverse=True):
        if not _key_exists(key):
            continue
        with _errors_naming_key(key):
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:
                keys_in_it, values_in_it, _time = winreg.QueryInfoKey(opened)
            if keys_in_it == values_in_it == 0:
                winreg.DeleteKey(winreg.HKEY_CURRENT_USER, key)


def notify_explorer() -> None:
    """Open windows look at the menus' entries again (SHCNE_ASSOCCHANGED)."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.shell32.SHChangeNotify(0x08000000, 0, None, None)
