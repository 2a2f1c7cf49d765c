"""What can go wrong, in words a person can act on. Each kind of error has its exit code.

A text for a person may have parts: what happened, what to do on the desktop, what to type. `advise` joins them into one
`str`, which files and messages can hold; `for_desktop` and `for_terminal` read it. On the desktop, no command is named.
"""

from __future__ import annotations

import os

SEPARATOR = "\x1e"  # "record separator": between the parts of a text; it is in no sentence


def advise(what: str, *, desktop: str = "", terminal: str = "") -> str:
    """Return a text in parts: `what` happened, what to do on the `desktop`, what to do in a `terminal`."""
    return SEPARATOR.join((what, desktop, terminal))


def for_desktop(text: str) -> str:
    """Return what to show on the desktop of a text, in parts or not."""
    what, desktop, _terminal = _split(text)
    return f"{what} {desktop}" if desktop else what


def for_terminal(text: str) -> str:
    """Return what to print of a text, in parts or not."""
    what, desktop, terminal = _split(text)
    return f"{what} {terminal or desktop}" if terminal or desktop else what


def _split(text: str) -> tuple[str, str, str]:
    """Return the parts of a text. A sentence in front of it belongs to its first part."""
    what, *others = text.split(SEPARATOR)
    desktop, terminal = (*others, "", "")[:2]
    return what, desktop, terminal


REASONS = {
    "unreadable": "the file is damaged. Open it in another program; if that works, save it there as JPEG or PNG.",
    "truncated": "the end of the file is missing. Copy or download it again.",
    "too_large": "the picture is too large (more than 250 megapixels or 1 GiB). Make it smaller first.",
    "unsupported": "this is not a kind of picture nobg can open. Save it as JPEG or PNG.",
    "vanished": "the file is not there (any more). Check the name.",
    "no_permission": "access was refused. Check the permissions of the file and of its folder.",
    "worker_died": "nobg's worker ended unexpectedly while it processed this picture. Please report it.",
    "timeout": "processing this picture took too long. Make it smaller, or try again when the computer is less busy.",
    "no_clear_subject": advise(
        "no clear subject was found, so nothing was written.", terminal="`nobg remove --force` writes it anyway."
    ),
    "already_done": advise(
        "this picture was done before and has not changed.", terminal="`nobg remove --force` does it again."
    ),
}
"""Reason of a skipped or failed job -> what it means and what to do next: see `advise`."""

SUPERSEDED = "superseded"
NOTES = {
    "first_frame": "it has several frames or pages; only the first one was done.",
    "last_frame": "it has several frames; only the last one was done.",
    "end_missing": "the end of the file is missing, and with it the lowest rows or fine details. "
    "Copy or download it again.",
    "enlarged": "it was smaller than the canvas, so it was enlarged.",
    SUPERSEDED: "a later attempt made this failure obsolete, or the picture is gone.",
}
"""What a job's notes mean, in words."""

DOUBTS = {
    "disagree": "the networks disagree about it.",
    "disagree_upper": "the networks disagree about the upper part.",
    "disagree_lower": "the networks disagree about the lower part.",
    "disagree_left": "the networks disagree about the left part.",
    "disagree_right": "the networks disagree about the right part.",
    "soft": "much of it is half transparent.",
    "touches_edge": "a side of the picture cuts the subject.",
    "faint": "nothing in it stands out.",
}
"""Why a cut-out is doubtful, in words."""

OUT_OF_MEMORY_TEXT = "there was not enough memory for this picture. Close other programs, or make the picture smaller."
"""What a job's `detail` says if nobg could not get memory for it; its reason is `too_large`."""
UNFORESEEN_TEXT = "something unforeseen went wrong with this picture; nobg's log says more. Please report it."
"""What a job's `detail` says if an error that nobody foresaw ended it; its reason is `worker_died`."""

DESTINATION_REASONS = {
    "full": "there is no room. nobg continues when there is.",
    "read_only": "nothing can be written there. nobg continues as soon as it can write.",
    "missing": "it is not there; perhaps a drive is not plugged in. nobg continues when it is back.",
    "trouble": "the system cannot read it now. nobg tries again for a day; check its drive.",
    "no_answer": "it does not answer. nobg continues when it does.",
}
"""Why the pictures of a destination wait -> what it means; the sentence follows the name of the destination."""


class NobgError(Exception):
    """An error that a person sees as a message, not as a traceback. The message says what, where and what next.

    `text`: the message, in parts or not: see `advise`. As a `str`, the error is what to print in a terminal.
    """

    exit_code = 1

    def __init__(self, text: str) -> None:
        super().__init__(for_terminal(text))
        self.text = text

    @property
    def on_desktop(self) -> str:
        """The message as the desktop shows it."""
        return for_desktop(self.text)


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


class NoAnswerError(DestinationError):
    """A drive does not answer: `folder` is where it is mounted."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"{folder} does not answer. Check its connection, then try again.", folder, "no_answer")


def unwritable_records_error(path: str | os.PathLike[str], error: Exception) -> DestinationError:
    """The error to raise when nobg's own file or folder `path` cannot be written."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (5, 6):  # SQLITE_BUSY, SQLITE_LOCKED, and their varieties
        return DestinationError(
            f"Another program is using nobg's records in {path} ({error}), perhaps a backup. Wait until it has "
            "finished, then try again."
        )
    is_refused = isinstance(error, PermissionError) or not isinstance(error, OSError)  # SQLite's errors have no number
    return DestinationError(
        (how_to_take_back(path) if is_refused and "full" not in str(error) else None)
        or advise(
            f"nobg keeps its records in {path} and cannot write there ({error}).",
            desktop="Make room or correct its permissions.",
            terminal="Make room or correct its permissions; NOBG_HOME=DIR names another folder.",
        )
    )


def refused_access_error(error: OSError) -> DestinationError:
    """The error to raise when the system refuses access to a file that is no picture: a setting, a menu, a model."""
    path = os.fsdecode(error.filename or "a file")
    return DestinationError(
        how_to_take_back(path)
        or f"nobg is not allowed to use {path} ({error.strerror}). Correct its permissions, then try again."
    )


def how_to_take_back(path: str | os.PathLike[str]) -> str | None:
    """What is wrong and what to do if `path`, what it is in or what is in it belongs to another user.

    That is so after `sudo -E nobg`.

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

    return advise(
        f"{foreign} belongs to another user, perhaps because nobg was once started as administrator, "
        "so nobg cannot use it.",
        desktop=f"Ask the administrator of this computer to make {_user_name()} its owner, with all that is in it.",
        terminal=f"To take it back, type: sudo chown -R {_user_name()} {shlex.quote(foreign)}",
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
        super().__init__(
            advise(
                f"nobg's records in {path} are damaged.",
                desktop="nobg saves what can be read of them. Try again in a moment.",
                terminal="Run the same command again: it saves what can be read of them.",
            )
        )


def reason_text(reason: str, detail: str = "") -> str:
    """The text for a person, in parts or not: `detail` if it is a sentence, else what REASONS says of `reason`.

    `detail` is a sentence if it ends with a period or has parts.
    """
    return detail if detail.endswith(".") or SEPARATOR in detail else REASONS.get(reason, UNFORESEEN_TEXT)


def describe_reason(reason: str, detail: str = "") -> str:
    """What to print in a terminal of `reason_text`."""
    return for_terminal(reason_text(reason, detail))


def exit_code(reason: str) -> int:
    """The exit code for a picture that failed for `reason`."""
    return 4 if reason == "no_permission" else 1


class PictureError(NobgError):
    """One picture cannot be done; the others can.

    `reason`: a key of REASONS. `detail`: what is particular to this file, either a sentence for people, which ends with
    a period, or a technical remark for the journal.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason_text(reason, detail))
        self.reason = reason
        self.detail = detail
        self.exit_code = exit_code(reason)


class PassingError(PictureError):
    """The system cannot read a picture now, and may be able to later: the drive, or a limit of the system, fails."""

    def __init__(self, error: OSError, trouble: str | None = None) -> None:
        """`trouble`: what is wrong, as the start of a sentence, if more is known than `error` says."""
        text = f"the system could not read it ({error.strerror}). Check its drive, then try again."
        super().__init__("unreadable", text if trouble is None else f"{trouble}. Try again when that has changed.")
