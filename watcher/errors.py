"""What can go wrong, in words a person can act on; each kind of error has its exit code."""

from __future__ import annotations

import os

REASONS = {
    "unreadable": "the file is damaged or empty. Open it in another program; if that works, save it as JPEG or PNG.",
    "truncated": "the end of the file is missing. Copy or download it again.",
    "too_large": "the picture is too large (more than 250 megapixels or 1 GiB). Make it smaller first.",
    "unsupported": "this is not a kind of picture nobg can open. Save it as JPEG or PNG.",
    "vanished": "the file is not there (any more). Check the name.",
    "no_permission": "access was refused. Check the permissions of the file and of its folder.",
    "worker_died": "working on this picture ended unexpectedly, again and again. Please report it.",
    "timeout": "working on this picture took too long. Make it smaller, or try again when the computer is less busy.",
    "no_clear_subject": "no clear subject was found, so nothing was written. `nobg remove --force` writes it anyway.",
    "already_done": "this picture was done before and has not changed. `nobg remove --force` does it again.",
}
"""Reason of a skipped or failed job -> what it means and what to do next."""

DESTINATION_REASONS = {
    "full": "there is no room. nobg goes on when there is.",
    "read_only": "nothing can be written there. nobg goes on when it can.",
    "missing": "it is not there; perhaps a drive is not plugged in. nobg goes on when it is back.",
}
"""Why the pictures of a folder wait."""


class NobgError(Exception):
    """Anything nobg tells a person instead of a traceback. The message says what, where and what next."""

    exit_code = 1


class UsageError(NobgError):
    """The command or the configuration does not make sense: correct it."""

    exit_code = 2


class ModelError(NobgError):
    """There is no model to work with, or it is damaged: install nobg again."""

    exit_code = 3


class WorkerError(NobgError):
    """The worker process cannot be started: `nobg doctor` says more."""

    exit_code = 3


class DestinationError(NobgError):
    """The place to write to is full, read-only or gone: make room, plug it in, or choose another folder.

    `place` is the folder that is concerned and `reason` one of PLACE_REASONS; None: it is about nobg's own records.
    """

    exit_code = 4

    def __init__(self, text: str, folder: str | os.PathLike[str] | None = None, reason: str | None = None) -> None:
        super().__init__(text)
        self.folder = folder
        self.reason = reason


def unwritable_records_error(path: str | os.PathLike[str], error: Exception) -> DestinationError:
    """What to say where nobg's own files cannot be written."""
    return DestinationError(
        f"nobg keeps its records in {path} and cannot write there ({error}). "
        "Make room or correct its permissions; NOBG_HOME=DIR names another place."
    )


class DamagedJournalError(NobgError):
    """The records turned out to be damaged; whoever opens them next begins new ones."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(f"nobg's records in {path} are damaged. Run the same command again; it begins new ones.")


def describe_reason(reason: str, detail: str = "") -> str:
    """What to tell a person: `detail` where it is a sentence, else what the reason means in general."""
    return detail if detail.endswith(".") else REASONS[reason]


def exit_code(reason: str) -> int:
    """The exit code that a picture which failed for `reason` asks for."""
    return 4 if reason == "no_permission" else 1


class PictureError(NobgError):
    """One picture cannot be done; the others can.

    `reason` is one of the job reasons (a key of REASONS). `detail` is what is particular to this file: a sentence for
    people, which ends with a period, or a technical remark for the journal.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(describe_reason(reason, detail))
        self.reason = reason
        self.detail = detail
        self.exit_code = exit_code(reason)
