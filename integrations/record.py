"""The record (menu.json): what nobg installed, for which target, and which folders it made for that."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from integrations.artifact import IntegrationError, RecordEntry
from integrations.context import Setup
from integrations.files import make_private_folders, write_atomically
from integrations.target import Target


@dataclass
class Record:
    """What nobg wrote: entries by address, each with its `users` (keys of targets), and the folders that nobg made."""

    path: Path
    entries: dict[str, RecordEntry] = field(default_factory=dict)
    created_folders: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read the record; without a file, it is empty.

        Raises IntegrationError if the file is damaged: without it, nobg does not know what to remove.
        """
        try:
            if path.exists() and not path.is_file():  # a FIFO, on which reading would wait for ever
                raise ValueError("no regular file")  # noqa: TRY301  handled below
            values = json.loads(path.read_bytes())
            _check(values["entries"], values["folders"])
            return cls(path, values["entries"], values["folders"])
        except FileNotFoundError:
            return cls(path)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise IntegrationError(
                f"{path}, the record of what nobg installed, is damaged. Delete it, manually remove the entries "
                "that menus still show, then install again."
            ) from error

    def entries_of(self, target: Target) -> dict[str, RecordEntry]:
        """Return the entries that this target uses, by address."""
        return {address: entry for address, entry in self.entries.items() if target.key in entry["users"]}

    def folders_written_to(self) -> set[Path]:
        """Return the folders of the record and of all files in it; of a link, also the folder that it leads to."""
        files = [self.path, *(Path(address) for address in self.entries if os.path.isabs(address))]
        return {folder for path in files for folder in (path.parent, Path(os.path.realpath(path)).parent)}

    def add_entry(self, entry: RecordEntry, target: Target, setup: Setup) -> None:
        """Add or replace an entry, with this target beside those that use it already."""
        users = self.entries.get(entry["address"], {}).get("users", [])
        self.entries[entry["address"]] = {
            **entry,
            "client": list(setup.client_command),
            "users": sorted({*users, target.key}),
        }

    def add_missing_folders(self, folder: Path | None) -> None:
        """Record this folder and those of its parents that do not exist yet."""
        missing = () if folder is None else [str(path) for path in (folder, *folder.parents) if not path.exists()]
        self.created_folders += [path for path in missing if path not in self.created_folders]

    def save(self) -> None:
        """Write the record in one step. Raises OSError."""
        self.add_missing_folders(self.path.parent)
        make_private_folders(self.path.parent)
        values = {"entries": self.entries, "folders": self.created_folders}
        write_atomically(self.path, json.dumps(values, indent=1).encode(), 0o600)

    def save_and_prune(self) -> None:
        """Save the record, or delete it if it has no entries; remove the empty folders that nobg made.

        A folder that contains files of others stays in the record as long as anything of nobg is installed, so that a
        later uninstall can remove it. Raises OSError.
        """
        if self.entries:
            self.save()
        else:
            self.path.unlink(missing_ok=True)
        folders_before = list(self.created_folders)
        for folder in sorted(folders_before, key=len, reverse=True):
            with contextlib.suppress(OSError):  # not empty, or gone
                os.rmdir(folder)
        self.created_folders = [folder for folder in folders_before if os.path.isdir(folder)]
        if self.entries and self.created_folders != folders_before:
            self.save()


def _check(entries: dict[str, RecordEntry], folders: list[str]) -> None:
    """Raise one of the errors of a damaged record unless these are what every entry has, and the names of folders."""
    lists: list[list[str]] = [folders, list(entries)]
    for address, entry in entries.items():
        if address != entry["address"] or not isinstance(entry["kind"], str):
            raise ValueError("an entry without its address or kind")
        lists += entry["users"], entry["client"]
    if not all(
        isinstance(texts, list) and all(isinstance(text, str) and "\0" not in text for text in texts) for texts in lists
    ):
        raise TypeError("not a list of texts")
