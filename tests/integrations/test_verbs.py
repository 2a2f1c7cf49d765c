"""The table of menu entries: labels, keys, and the file names made from labels."""

from __future__ import annotations

from integrations.file_names import unique_file_names
from integrations.verbs import REMOVE_LABEL, SUBMENU_LABEL, TOUCH_UP, TOUCH_UP_LABEL, build_verbs, flat_label
from tests.support.menus import CUSTOM_RECIPES, ODD_NAME


def test_labels_are_unique_and_a_recipe_may_take_a_built_in_name() -> None:
    verbs = build_verbs([("a", REMOVE_LABEL), ("b", "Same"), ("c", "Same"), ("white", "My white"), ("d", "")])
    labels = [verb.label for verb in verbs]
    assert len(set(labels)) == len(labels)
    assert labels[:2] == [REMOVE_LABEL, "My white"]
    assert len({verb.key for verb in verbs}) == len(verbs)
    assert [verb.arguments for verb in verbs][:2] == [(), ("--recipe", "white")]


def test_keys_stay_when_recipes_come_and_go() -> None:
    keys = {verb.label: verb.key for verb in build_verbs(CUSTOM_RECIPES)}
    assert {verb.label: verb.key for verb in build_verbs(CUSTOM_RECIPES[2:])}["a/b"] == keys["a/b"]
    assert all(key.replace("-", "").isalnum() and key.isascii() for key in keys.values())


def test_flat_labels_begin_alike() -> None:
    assert [flat_label(verb).startswith(REMOVE_LABEL) for verb in build_verbs(CUSTOM_RECIPES)] == [True] * 8
    assert SUBMENU_LABEL.startswith(REMOVE_LABEL)


def test_touching_up_has_a_label_of_its_own() -> None:
    assert flat_label(TOUCH_UP) == TOUCH_UP_LABEL
    assert TOUCH_UP_LABEL not in [verb.label for verb in build_verbs([("mine", TOUCH_UP_LABEL)])]


def test_file_names_are_visible_and_unique() -> None:
    names = unique_file_names(["a/b", ".hidden", "..", "50%", "x" * 300, "x" * 301, "", ODD_NAME])
    assert len(set(names)) == len(names)
    assert not [name for name in names if "/" in name or "%" in name or name.startswith(".") or len(name) > 220]
