"""What can go wrong, in words a person can act on. Each kind of error has its exit code."""

from __future__ import annotations

import os

REASONS = {
    "unreadable": "the file is damaged or empty. Open it in another program; if that works, save it as JPEG or PNG.",
    "truncated": "the end of the file is missing. Copy or download it again.",
    "too_large": "the picture is too large (more than 250 megapixels or 1 GiB). Make it smaller first.",
    "unsupported": "this is not a kind of picture nobg can open. Save it as JPEG or PNG.",
    "vanished": "the file is not there (any more). Check the name.",
    "no_permission": "access was refused. Check the permissions of the file and of its folder.",
    "worker_died": "nobg's worker ended unexpectedly while it processed this picture. Please report it.",
    "timeout": "processing this picture took too long. Make it smaller, or try again when the computer is less busy.",
    "no_clear_subject": "no clear subject was found, so nothing was written. `nobg remove --force` writes it anyway.",
    "already_done": "this picture was done before and has not changed. `nobg remove --force` does it again.",
}
"""Reason of a skipped or failed job -> what it means and what to do next."""

UNFORESEEN_TEXT = "something unforeseen went wrong with this picture; nobg's log says more. Please report it."
"""What a job's `detail` says if an error that nobody foresaw ended it; its reason is `worker_died`."""

DESTINATION_REASONS = {
    "full": "there is no room. nobg continues when there is.",
    "read_only": "nothing can be written there. nobg continues as soon as it can write.",
    "missing": "it is not there; perhaps a drive is not plugged in. nobg continues when it is back.",
}
"""Why the pictures of a destination wait -> what it means; the sentence follows the name of the destination."""


class NobgError(Exception):
    """An error that a person sees as a message, not as a traceback. The message says what, where and what next."""

    exit_code = 1


class UsageError(NobgError):
    """The command or the configuration makes no sense: correct it."""

    exit_code = 2


class ModelError(NobgError):
    """There is no usable model: install nobg again."""

    exit_code = 3


class WorkerError(NobgError):
    """The worker cannot be started: `nobg doctor` says more."""

    exit_code = 3


class DestinationError(NobgError):
    """The destination is full, read-only or gone: make room, plug it in, or choose another folder.

    `folder`: the destination; None if nobg's own records are concerned. `reason`: a key of DESTINATION_REASONS or None.
    """

    exit_code = 4

    def __init__(self, text: str, folder: str | os.PathLike[str] | None = None, reason: str | None = None) -> None:
        super().__init__(text)
        self.folder = folder
        self.reason = reason


def unwritable_records_error(path: str | os.PathLike[str], error: Exception) -> DestinationError:
    """The error to raise when nobg's own file or folder `path` cannot be written."""
    is_refused = isinstance(error, PermissionError) or not isinstance(error, OSError)  # SQLite's errors have no number
    return DestinationError(
        (how_to_take_back(path) if is_refused and "full" not in str(error) else None)
        or f"nobg keeps its records in {path} and cannot write there ({error}). "
        "Make room or correct its permissions; NOBG_HOME=DIR names another folder."
    )


def refused_access_error(error: OSError) -> DestinationError:
    """The error to raise when the system refuses access to a file that is no picture: a setting, a menu, a model."""
    path = os.fsdecode(error.filename or "a file")
    return DestinationError(
        how_to_take_back(path)
        or f"nobg is not allowed to use {path} ({error.strerror}). Correct its permissions, then try again."
    )


def how_to_take_back(path: str | os.PathLike[str]) -> str | None:
    """What to type if `path`, what it is in or what is in it belongs to another user, as after `sudo -E nobg`.

    None if everything belongs to this user, or if it is not below the home folder or NOBG_HOME.
    """
    if not hasattr(os, "geteuid"):  # Windows has no chown
        return None
    path = os.path.abspath(path)
    portable = os.environ.get("NOBG_HOME")
    tops = [os.path.dirname(os.path.abspath(portable))] if portable else []
    tops.append(os.path.expanduser("~"))
    foreign, part = None, path
    while any(part.startswith(top.rstrip(os.sep) + os.sep) for top in tops):
        if _is_foreign(part):
            foreign = part
        part = os.path.dirname(part)
    if part not in tops:
        return None
    if foreign is None:
        try:
            names = os.listdir(path)
        except OSError:
            return None
        foreign = path if any(_is_foreign(os.path.join(path, name)) for name in names) else None
    if foreign is None:
        return None
    import shlex

    return (
        f"{foreign} belongs to another user, perhaps because nobg was once started with sudo, so nobg cannot use it. "
        f"To take it back, type: sudo chown -R {_user_name()} {shlex.quote(foreign)}"
    )


def _is_foreign(path: str) -> bool:
    try:
        return os.lstat(path).st_uid != os.geteuid()
    except OSError:  # it does not exist, or its folder may not be searched
        return False


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        return str(os.geteuid())


class DamagedJournalError(NobgError):
    """The journal is damaged. The next process that opens it moves it aside and creates a new one."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(f"nobg's records in {path} are damaged. Run the same command again; it starts new ones.")


def describe_reason(reason: str, detail: str = "") -> str:
    """The sentence for a person: `detail` if it ends with a period, else what REASONS says of `reason`."""
    return detail if detail.endswith(".") else REASONS.get(reason, UNFORESEEN_TEXT)  # a later nobg may add reasons


def exit_code(reason: str) -> int:
    """The exit code for a picture that failed for `reason`."""
    return 4 if reason == "no_permission" else 1


class PictureError(NobgError):
    """One picture cannot be done; the others can.

    `reason`: a key of REASONS. `detail`: what is particular to this file, either a sentence for people, which ends with
    a period, or a technical remark for the journal.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(describe_reason(reason, detail))
        self.reason = reason
        self.detail = detail
        self.exit_code = exit_code(reason)
