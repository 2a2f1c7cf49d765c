"""The one table of what stands in menus: every target is made from it, and a translator finds all words here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from integrations.base import Verb

REMOVE_LABEL = "Remove background"
"""In the menu itself."""

SUBMENU_LABEL = "Remove background (more)"
"""The sub-menu beside it; the beginning is the same so that the two stand side by side where menus are sorted."""

BUILT_IN_RECIPES = (
    ("white", "White background"),
    ("crop", "Crop to subject"),
    ("mask", "Mask only"),
)
"""In the sub-menu: recipes that are always there."""

TOOLTIP = "Cut the subject out; the result appears beside the picture, which stays as it is."
PROGRAM_NAME = "nobg"
AUTOSTART_COMMENT = "Removes backgrounds of pictures in watched folders"


def build_verbs(own_recipes: Iterable[tuple[str, str]] = ()) -> tuple[Verb, ...]:
    """All verbs in their order; `own`: name and label of the person's own recipes for the menu.

    A recipe of the person's with the name of a built-in one takes its place, as it does everywhere.
    """
    labels = {**dict(BUILT_IN_RECIPES), **dict(own_recipes)}
    taken = [REMOVE_LABEL]
    table = [Verb("remove", REMOVE_LABEL)]
    for name, label in labels.items():
        unique = label or name or "?"
        while unique in taken:
            unique += f" ({name})"
        taken.append(unique)
        table.append(Verb(_verb_key(name), unique, ("--recipe", name)))
    return tuple(table)


def flat_label(verb: Verb) -> str:
    """The label where there are no sub-menus."""
    return verb.label if verb.label == REMOVE_LABEL else f"{REMOVE_LABEL}: {verb.label}"


def _verb_key(name: str) -> str:
    """Something that can be part of a file name, an XML id or a registry key, and stays when others come and go."""
    return name if name in dict(BUILT_IN_RECIPES) else f"own-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
