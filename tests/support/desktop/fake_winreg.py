"""A stand-in for Python's winreg with one root, in memory. It behaves as Windows documents it.

Names of keys ignore case. DeleteKey refuses a key that has sub-keys, and deletes a key that has values. A handle
allows only the access that it was opened for.
"""

# ruff: noqa: D102, N802  names and meanings are those of winreg

from __future__ import annotations

from types import TracebackType
from typing import Self

Data = tuple[object, int]


class Handle:
    """An open key. The end of its `with` block closes it; a closed handle is refused."""

    def __init__(self, path: str, access: int) -> None:
        self.path, self.access, self.closed = path, access, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True


class FakeWinreg:
    """`keys`: path, in its first spelling -> name of the value -> data and type.

    `refuse_after`: the number of calls after which SetValueEx is refused; None: never.
    """

    HKEY_CURRENT_USER = 1
    REG_SZ, REG_EXPAND_SZ, REG_DWORD = 1, 2, 4
    KEY_READ, KEY_SET_VALUE = 0x20019, 0x2

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Data]] = {}
        self.refuse_after: int | None = None

    def put(self, key: str, name: str, data: object, kind: int = REG_SZ) -> None:
        """Set a value, as another program would."""
        with self.CreateKeyEx(self.HKEY_CURRENT_USER, key, 0, self.KEY_SET_VALUE) as opened:
            self.keys[opened.path][name] = (data, kind)

    def texts(self) -> set[tuple[str, str, object]]:
        """Return all values as (key, name, data)."""
        return {(key, name, data) for key, values in self.keys.items() for name, (data, _) in values.items()}

    def _find_key(self, root: int, path: str) -> str:
        assert root == self.HKEY_CURRENT_USER
        for key in self.keys:
            if key.lower() == path.lower():
                return key
        raise FileNotFoundError(2, "The system cannot find the file specified")

    def OpenKey(self, root: int, path: str, _reserved: int = 0, access: int = KEY_READ) -> Handle:
        return Handle(self._find_key(root, path), access)

    def CreateKeyEx(self, root: int, path: str, _reserved: int = 0, access: int = 0) -> Handle:
        parts = path.split("\\")
        for end in range(1, len(parts) + 1):
            try:
                self._find_key(root, "\\".join(parts[:end]))
            except FileNotFoundError:
                self.keys["\\".join(parts[:end])] = {}
        return Handle(self._find_key(root, path), access)

    def SetValueEx(self, key: Handle, name: str, _reserved: int, kind: int, data: object) -> None:
        self._require_access(key, self.KEY_SET_VALUE)
        if self.refuse_after is not None:
            if self.refuse_after == 0:
                raise PermissionError(13, "Access is denied")
            self.refuse_after -= 1
        self.keys[key.path][name] = (data, kind)

    def QueryValueEx(self, key: Handle, name: str) -> Data:
        self._require_access(key, 0x1)
        if name not in self.keys[key.path]:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return self.keys[key.path][name]

    def QueryInfoKey(self, key: Handle) -> tuple[int, int, int]:
        self._require_access(key, 0x1)
        prefix = f"{key.path}\\"
        subkeys = [path for path in self.keys if path.startswith(prefix) and "\\" not in path.removeprefix(prefix)]
        return len(subkeys), len(self.keys[key.path]), 0

    def DeleteValue(self, key: Handle, name: str) -> None:
        self._require_access(key, self.KEY_SET_VALUE)
        del self.keys[key.path][name]

    def DeleteKey(self, root: int, path: str) -> None:
        key = self._find_key(root, path)
        if any(other.startswith(f"{key}\\") for other in self.keys):
            raise PermissionError(13, "Access is denied")
        del self.keys[key]

    @staticmethod
    def _require_access(key: Handle, access: int) -> None:
        if key.closed or not key.access & access:
            raise PermissionError(13, "Access is denied")
