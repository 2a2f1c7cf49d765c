"""PCManFM (LXDE) and PCManFM-Qt (LXQt): file-manager actions (DES-EMA), which both read from the same folder.

PCManFM reads them with a module of libfm. libfm and libfm-qt quote paths, but not addresses: with %U, a name with an
apostrophe would run nothing.
"""

from __future__ import annotations

from dataclasses import replace

from integrations.artifact import Artifact
from integrations.context import Setup
from integrations.files import File
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.target import Target
from integrations.verbs import SUBMENU_LABEL, Verb

_MIME_TYPE_PATTERNS = "*;!text/*;!application/*;!audio/*;!video/*;"
"""libfm shows an action only if one pattern fits everything selected: to fit JPEG and PNG together, it must be wide."""


def artifacts(setup: Setup) -> list[Artifact]:
    """Return an action for each verb, the sub-menu with all but the first, and the icon."""
    folder = setup.data_home / "file-manager" / "actions"
    _, *submenu_verbs = setup.verbs
    submenu = quoting.key_file(
        (
            "Desktop Entry",
            [
                *_common_lines("Menu", SUBMENU_LABEL),
                ("ItemsList", quoting.list_value(f"nobg-{verb.key}" for verb in submenu_verbs)),
            ],
        )
    )
    actions = [File(folder / f"nobg-{verb.key}.desktop", action(setup, verb)) for verb in setup.all_verbs]
    return [*actions, File(folder / "nobg-more.desktop", submenu), icon_file(setup)]


def action(setup: Setup, verb: Verb) -> bytes:
    """Return the action of a verb, with its only profile."""
    command = quoting.exec_line([*setup.client_command, *verb.arguments, "--"], "%F")
    # Not SelectionCount for `touch_up`: libfm in Vala misreads its number, and would never show the entry.
    mime_types = _MIME_TYPE_PATTERNS + ("!inode/*;" if verb == setup.touch_up else "")
    # Not TryExec: libfm 1.4 does not show an action whose TryExec is a path. Of ShowIfTrue, the specification reads the
    # output, libfm and libfm-qt the exit code; libfm 1.4 ignores it.
    is_installed = f"test -x {quoting.shell_command([setup.client_program])} && echo true"
    return quoting.key_file(
        ("Desktop Entry", [*_common_lines("Action", verb.label), ("Profiles", "pictures;")]),
        (
            "X-Action-Profile pictures",
            [
                ("Name", "pictures"),
                ("MimeTypes", mime_types),
                ("ShowIfTrue", quoting.string_value(is_installed.replace("%", "%%"))),
                ("Exec", quoting.string_value(command)),
            ],
        ),
    )


def _common_lines(entry_type: str, label: str) -> list[tuple[str, str]]:
    # PCManFM draws the tooltip as the label, and underlines the letter after an underscore.
    return [
        ("Type", entry_type),
        ("Name", quoting.string_value(label)),
        ("Tooltip", quoting.string_value(label.replace("_", "__"))),
        ("Icon", "nobg"),
    ]


def _hint(setup: Setup) -> str:
    if setup.has_library("libfm/modules/gtk-menu-actions.so"):
        return ""
    return "PCManFM shows such entries only with the package libfm-modules: install it, then restart PCManFM."


PCMANFM = Target(
    key="pcmanfm",
    label="PCManFM",
    is_present=lambda setup: setup.has_program("pcmanfm"),
    artifacts=artifacts,
    restart_instruction="close all its windows (where it draws the desktop: log out and in)",
    process_name="pcmanfm",
    hint=_hint,
)

PCMANFM_QT = replace(
    PCMANFM,
    key="pcmanfm-qt",
    label="PCManFM-Qt",
    is_present=lambda setup: setup.has_program("pcmanfm-qt"),
    process_name="pcmanfm-qt",
    hint=lambda _setup: "",  # it needs no module for its actions
)
