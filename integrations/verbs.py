"""The table of menu entries from which every target is built, and all words that people read in right-click menus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

REMOVE_LABEL = "Remove background"
"""The label of the first entry, in the menu itself."""

SUBMENU_LABEL = "Remove background (more)"
"""The label of the sub-menu. It starts like `REMOVE_LABEL`, so that sorted menus show the two side by side."""

BUILT_IN_RECIPES = (
    ("white", "White background"),
    ("crop", "Crop to subject"),
    ("mask", "Mask only"),
)
"""Name and label of the recipes that are always in the sub-menu."""

TOUCH_UP_LABEL = "Touch up cut-out…"
"""The label of the entry for one picture, or its cut-out, in the menu itself: it is what people look for there."""

TOOLTIP = "Cut the subject out; the result appears beside the picture, which stays as it is."
TOUCH_UP_TOOLTIP = "Correct the cut-out of this picture by hand: say what to keep and what to erase."
ONE_PICTURE_TEXT = "Select one picture to touch up."
PROGRAM_NAME = "nobg"
_GONE = "nobg was removed or moved, so this entry does nothing."
GONE_TEXT = f"{_GONE} To remove the entry, delete the file"
"""What an entry says that outlived nobg. The path of its file follows."""
GONE_TEXT_THUNAR = f"{_GONE} To remove the entry, open Edit, Configure custom actions in Thunar."
"""The same where the entry is in Thunar's own list."""
AUTOSTART_LABEL = "Start at login"
AUTOSTART_COMMENT = "Removes backgrounds of pictures in watched folders"


@dataclass(frozen=True)
class Verb:
    """An action in a menu.

    `key` consists of letters, digits and hyphens. The client receives `arguments` before the pictures.
    """

    key: str
    label: str
    arguments: tuple[str, ...] = ()
    tooltip: str = TOOLTIP


TOUCH_UP = Verb("touch-up", TOUCH_UP_LABEL, ("--edit",), TOUCH_UP_TOOLTIP)
"""The verb for exactly one picture, and no folder. File managers that can do so show it on nothing else."""


def build_verbs(own_recipes: Iterable[tuple[str, str]] = ()) -> tuple[Verb, ...]:
    """Return all verbs in menu order; no two have the same label.

    `own_recipes` holds name and label of each recipe that the person wants in the menu. A recipe with the name of a
    built-in one replaces it, as everywhere in nobg.
    """
    labels = {**dict(BUILT_IN_RECIPES), **dict(own_recipes)}
    taken_labels = [REMOVE_LABEL, TOUCH_UP_LABEL]
    verbs = [Verb("remove", REMOVE_LABEL)]
    for name, label in labels.items():
        unique_label = label or name or "?"
        while unique_label in taken_labels:
            unique_label += f" ({name})"
        taken_labels.append(unique_label)
        verbs.append(Verb(_verb_key(name), unique_label, ("--recipe", name)))
    return tuple(verbs)


def flat_label(verb: Verb) -> str:
    """Return the label for a menu that cannot have sub-menus."""
    return verb.label if verb.label in (REMOVE_LABEL, TOUCH_UP_LABEL) else f"{REMOVE_LABEL}: {verb.label}"


def _verb_key(name: str) -> str:
    """Return a key that fits into a file name, an XML id or a registry key and does not depend on other recipes."""
    return name if name in dict(BUILT_IN_RECIPES) else f"own-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
