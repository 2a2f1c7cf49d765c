"""An artifact that is values in the Windows registry below HKEY_CURRENT_USER, and the format of .reg files."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from integrations.artifact import Artifact, IntegrationError, RecordEntry, make_entry

if sys.platform == "win32":
    import winreg
else:
    winreg: Any = None  # tests replace it with a registry in memory

ROOT_KEY = "HKEY_CURRENT_USER"
OWN_KEY_PREFIX = "nobg."
"""Keys with this prefix belong to nobg, with all values in them, even if a .reg file brought them."""


@dataclass(frozen=True)
class RegistryValue:
    """A text value. `key` is below HKEY_CURRENT_USER; an empty `name` means the key's default value."""

    key: str
    name: str
    data: str


@dataclass(frozen=True)
class RegistryValues(Artifact):
    """nobg's values and the keys that they need.

    Values that share keys are one artifact, so that its entry lists every key that nobg made for them.
    """

    base_key: str
    values: tuple[RegistryValue, ...]
    kind: ClassVar[str] = "registry"

    @property
    def address(self) -> str:
        """The key that contains all values."""
        return rf"{ROOT_KEY}\{self.base_key}"

    @property
    def folder(self) -> Path | None:
        """None: the values are in no folder."""
        return None

    def plan(self, previous: RecordEntry | None) -> RecordEntry:
        """Record each value's new text and those that nobg may replace or remove, and the keys that nobg makes."""
        texts_by_location = {(key, name): texts for key, name, texts in previous["values"]} if previous else {}
        keys = set(previous["keys"]) if previous else set()
        for value in self.values:
            own_texts = texts_by_location.get((value.key, value.name), [])[:1]
            current = _read_value(value.key, value.name)
            if current is not None and _is_own_key(value.key):
                own_texts = [*own_texts, current]
            if current not in (None, value.data, *own_texts):
                description = _describe_location(value.key, value.name)
                raise IntegrationError(
                    f"{description} is {current!r} already, which nobg did not write, so it was not changed."
                )
            texts_by_location[value.key, value.name] = list(dict.fromkeys([value.data, *own_texts]))
            keys.update(key for key in _key_and_parents(value.key) if _is_own_key(key) or not _key_exists(key))
        return make_entry(
            self, values=[[*location, texts] for location, texts in texts_by_location.items()], keys=sorted(keys)
        )

    def write(self, entry: RecordEntry) -> None:
        """Write the values that differ and delete those that only an older nobg wrote."""
        data_by_location = {(value.key, value.name): value.data for value in self.values}
        differing = [location for location, data in data_by_location.items() if _read_value(*location) != data]
        texts_by_location = {(key, name): texts for key, name, texts in entry["values"]}
        obsolete = [
            location
            for location, texts in texts_by_location.items()
            if location not in data_by_location and _read_value(*location) in texts
        ]
        for location in differing:
            _set_value(*location, data_by_location[location])
        for location in obsolete:
            _delete_value(*location)
        if differing or obsolete:
            _delete_empty_keys(entry["keys"])
            notify_explorer()

    def preview(self) -> str:
        """Return the values as a .reg file."""
        return reg_file(self.values)

    def find_problem(self, _entry: RecordEntry) -> str | None:
        """Return a problem for the first value that is gone or has another text."""
        for value in self.values:
            current = _read_value(value.key, value.name)
            if current != value.data:
                problem = "is gone" if current is None else "is from an older or moved nobg, or was changed"
                return f"{_describe_location(value.key, value.name)} {problem}"
        return None

    @classmethod
    def remove(cls, entry: RecordEntry) -> str | None:
        """Delete the values that still are as nobg wrote them, then nobg's keys that are empty."""
        written = [(key, name) for key, name, texts in entry["values"] if _read_value(key, name) in texts]
        for location in written:
            _delete_value(*location)
        if _delete_empty_keys(entry["keys"]) or written:
            notify_explorer()
        remaining = [
            _describe_location(key, name) for key, name, _ in entry["values"] if _read_value(key, name) is not None
        ]
        remaining += [_describe_location(key) for key in entry["keys"] if _is_own_key(key) and _key_exists(key)]
        if not remaining:
            return None
        return f"{remaining[0]} contains something that nobg did not write, so it was not removed."


def reg_file(values: Iterable[RegistryValue]) -> str:
    """Return a .reg file of version 5. It is ASCII, so it stays valid in whichever encoding a shell saves it."""
    lines, current_key = ["Windows Registry Editor Version 5.00"], ""
    for value in values:
        if value.key != current_key:
            current_key = value.key
            lines += ["", f"[{ROOT_KEY}\\{current_key}]"]
        lines.append(f"{_quote(value.name) if value.name else '@'}={_format_data(value.data)}")
    return "".join(f"{line}\n" for line in lines)


def encode_reg_file(text: str) -> bytes:
    """Return the .reg file in the encoding that regedit itself uses: UTF-16 with a byte order mark, CR LF."""
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


def _is_own_key(key: str) -> bool:
    return f"\\{OWN_KEY_PREFIX}" in key


def _key_and_parents(key: str) -> Iterator[str]:
    """Yield the key and its parents, without the root."""
    while key:
        yield key
        key = key.rpartition("\\")[0]


def _describe_location(key: str, name: str = "") -> str:
    return rf"{ROOT_KEY}\{key}" + (f", value {name}" if name else "")


@contextlib.contextmanager
def _errors_naming_key(key: str) -> Iterator[None]:
    """Add the key to errors of winreg, which do not say where they happened."""
    try:
        yield
    except OSError as error:
        error.filename = _describe_location(key)
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


def _delete_empty_keys(keys: Iterable[str]) -> bool:
    """Delete those of the keys that have neither sub-keys nor values, from the innermost outwards; whether any was."""
    has_deleted = False
    for key in sorted(keys, key=len, reverse=True):
        if not _key_exists(key):
            continue
        with _errors_naming_key(key):
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:
                subkey_count, value_count, _time = winreg.QueryInfoKey(opened)
            if subkey_count == value_count == 0:
                winreg.DeleteKey(winreg.HKEY_CURRENT_USER, key)
                has_deleted = True
    return has_deleted


def notify_explorer() -> None:
    """Make open windows read the menu entries again (SHCNE_ASSOCCHANGED)."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.shell32.SHChangeNotify(0x08000000, 0, None, None)
