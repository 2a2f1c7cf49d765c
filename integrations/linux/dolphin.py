"""Dolphin (KDE): service menus.

KF5 from 5.85 on and KF6 read the same folder. Dolphin would show the entries twice if the older folder had them, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from integrations.artifact import Artifact
from integrations.context import Setup
from integrations.files import File
from integrations.linux import quoting
from integrations.linux.icon import icon_file
from integrations.target import Target
from integrations.verbs import SUBMENU_LABEL, Verb


def artifacts(setup: Setup) -> list[Artifact]:
    """Return a file for the menu itself, a file for the sub-menu, one for the entry on a single picture, and the icon.

    The files are executable because KDE refuses to run others.
    """
    folder = setup.data_home / "kio" / "servicemenus"
    top_menu = service_menu(setup, setup.verbs[:1])
    submenu = service_menu(setup, setup.verbs[1:], submenu_label=SUBMENU_LABEL)
    files = [
        File(folder / "nobg.desktop", top_menu, executable=True),
        File(folder / "nobg-more.desktop", submenu, executable=True),
    ]
    if setup.touch_up is not None:
        entry = service_menu(setup, [setup.touch_up], is_for_one_picture=True)
        files.append(File(folder / "nobg-touch-up.desktop", entry, executable=True))
    return [*files, icon_file(setup)]


def service_menu(
    setup: Setup, verbs: Sequence[Verb], submenu_label: str | None = None, *, is_for_one_picture: bool = False
) -> bytes:
    """Return a service menu with these verbs, in the menu itself or in a sub-menu.

    KF5 needs the service type, KF6 ignores it. The actions' names are numbered because KIO sorts by them.
    """
    names = [f"{number:02}-{verb.key}" for number, verb in enumerate(verbs)]
    header = [
        ("Type", "Service"),
        ("X-KDE-ServiceTypes", "KonqPopupMenu/Plugin"),
        ("MimeType", quoting.list_value([*setup.mime_types, *([] if is_for_one_picture else ["inode/directory"])])),
        ("Actions", quoting.list_value(names)),
        ("X-KDE-Priority", "TopLevel"),
        ("Icon", "nobg"),
        ("TryExec", quoting.string_value(setup.client_program)),
    ]
    if is_for_one_picture:
        header.append(("X-KDE-RequiredNumberOfUrls", "1"))
    if submenu_label is not None:
        header.append(("X-KDE-Submenu", quoting.string_value(submenu_label)))
    actions = [
        (
            f"Desktop Action {name}",
            [
                ("Name", quoting.string_value(verb.label)),
                ("Icon", "nobg"),
                ("Exec", quoting.string_value(quoting.exec_line([*setup.client_command, *verb.arguments, "--"], "%U"))),
            ],
        )
        for name, verb in zip(names, verbs, strict=True)
    ]
    return quoting.key_file(("Desktop Entry", header), *actions)


DOLPHIN = Target(
    key="dolphin", label="Dolphin", is_present=lambda setup: setup.has_program("dolphin"), artifacts=artifacts
)
