"""The menu on a real bus: what a host reads, and what a click does."""

import logging
import threading
from typing import Any

import pytest
from dbus_fast import Variant

from tests.support.desktop.running_icon import LINE, RED, ChangingMenu, Item, Menu, checkable, named, running, shown
from tests.support.desktop.tray_host import Host, plain
from tests.support.program import wait_for
from watcher.desktop.status_notifier import menu_layout
from watcher.desktop.status_notifier.icon import Icon

# The menu


def test_the_menu_has_all_visible_items(host: Host) -> None:
    items = (
        Item("Pause", None, checked=lambda _: False),
        LINE,
        Item("Output", Menu(checkable("White", True, radio=True), checkable("Crop", False, radio=True))),
        Item("Undo", None, enabled=False),
        Item("Hidden", None, visible=False),
    )
    with shown(host, *items):
        assert host.labels() == ["Pause", "-", "Output", "Undo"]
        pause, line, output, undo = host.menu()
        assert (pause["toggle-type"], pause["toggle-state"]) == ("checkmark", 0)
        assert line["type"] == "separator"
        assert output["children-display"] == "submenu"
        assert [(item["toggle-type"], item["toggle-state"]) for item in output["children"]] == [
            ("radio", 1),
            ("radio", 0),
        ]
        assert (undo["enabled"], "toggle-type" in undo) == (False, False)
        assert len({item["id"] for item in [*host.menu(), *output["children"]]}) == 6


def test_an_icon_without_a_menu_has_an_empty_one(host: Host) -> None:
    icon = Icon("nobg", RED)
    with running(icon):
        host.wait_for_icon()
        assert host.menu() == []
        host.activate()
        icon.menu = Menu(*named("One"))
        wait_for(lambda: host.labels() == ["One"])


def test_a_changed_check_mark_is_signalled_alone(host: Host) -> None:
    menu = ChangingMenu(*named("One"), checkable("Pause", False))
    with shown(host, menu) as icon:
        number = host.item("Pause")["id"]
        menu.change(icon, *named("One"), checkable("Pause", True))
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.received("ItemsPropertiesUpdated") == [[[[number, {"toggle-state": 1}]], []]]
        assert not host.received("LayoutUpdated")
        assert host.item("Pause")["toggle-state"] == 1


def test_a_removed_property_is_signalled(host: Host) -> None:
    menu = ChangingMenu(checkable("Pause", False))
    with shown(host, menu) as icon:
        menu.change(icon, *named("Pause"))
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.received("ItemsPropertiesUpdated") == [[[], [[1, ["toggle-type", "toggle-state"]]]]]


def test_nothing_is_signalled_if_nothing_has_changed(host: Host) -> None:
    menu = ChangingMenu(checkable("Pause", True), LINE, *named("One"))
    with shown(host, menu) as icon:
        menu.change(icon, checkable("Pause", True), LINE, *named("One"))
        assert not host.open()
        assert [member for member, _ in host.signals if member in ("LayoutUpdated", "ItemsPropertiesUpdated")] == []


def test_a_changed_structure_is_signalled_with_changed_properties(host: Host) -> None:
    menu = ChangingMenu(checkable("Pause", False), *named("One"))
    with shown(host, menu) as icon:
        revision = host.call("GetLayout", "iias", 0, 0, [])[0]
        menu.change(icon, checkable("Pause", True), *named("Two"))
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.received("LayoutUpdated") == [[revision + 1, 0]]
        assert host.received("ItemsPropertiesUpdated") == [[[[1, {"toggle-state": 1}]], []]]
        assert host.call("GetLayout", "iias", 0, 0, [])[0] == revision + 1
        assert host.labels() == ["Pause", "Two"]


def test_an_item_that_comes_back_with_other_properties_is_signalled(host: Host) -> None:
    menu = ChangingMenu(*named("One"), checkable("Two", False))
    with shown(host, menu) as icon:
        menu.change(icon, *named("One"))
        menu.change(icon, *named("One"), checkable("Two", True))
        wait_for(lambda: len(host.received("LayoutUpdated")) == 2)
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        ((updated, _),) = host.received("ItemsPropertiesUpdated")
        assert [(number, properties["toggle-state"]) for number, properties in updated] == [(2, 1)]


def test_a_click_in_an_older_menu_never_hits_another_item(host: Host) -> None:
    clicked: list[str] = []

    def recent(*names: str) -> Any:
        return Item("Recent", Menu(*(Item(name, lambda _, item: clicked.append(item.text)) for name in names)))

    menu = ChangingMenu(recent("a", "b", "c"))
    with shown(host, menu) as icon:
        old = {name: host.item("Recent", name)["id"] for name in "abc"}
        menu.change(icon, recent("d", "a", "b"))
        host.click_number(old["c"])
        host.click_number(old["a"])
        wait_for(lambda: clicked)
        host.click("Recent", "d")
        wait_for(lambda: len(clicked) == 2)
        assert clicked == ["a", "d"]
        assert host.item("Recent", "b")["id"] == old["b"]
        menu.change(icon, recent("c"))
        assert host.item("Recent", "c")["id"] == old["c"]


def test_items_of_the_same_name_have_numbers_of_their_own(host: Host) -> None:
    clicked: list[str] = []
    items = [
        Item("Open", lambda: clicked.append("first")),
        LINE,
        Item("Open", lambda: clicked.append("second")),
        LINE,
        Item("Folder", Menu(Item("Open", lambda: clicked.append("below")))),
    ]
    with shown(host, *items):
        numbers = [item["id"] for item in host.menu()]
        assert len(set(numbers)) == 5
        host.click_number(numbers[2])
        wait_for(lambda: clicked == ["second"])
        host.click("Folder", "Open")
        wait_for(lambda: clicked == ["second", "below"])


def test_an_item_with_a_key_stays_the_same_whatever_its_label(host: Host) -> None:
    clicked: list[str] = []

    def keyed(key: str, label: str) -> Any:
        item = Item(label, lambda: clicked.append(key))
        item.key = key
        return item

    menu = ChangingMenu(keyed("/a/x.png", "x.png"), keyed("/b/x.png", "x.png"), keyed("status", "1 waiting"))
    with shown(host, menu) as icon:
        first, second, status = (item["id"] for item in host.menu())
        menu.change(icon, keyed("/a/x.png", "x.png"), keyed("/b/x.png", "x.png"), keyed("status", "2 waiting"))
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.received("ItemsPropertiesUpdated") == [[[[status, {"label": "2 waiting"}]], []]]
        assert not host.received("LayoutUpdated")
        menu.change(icon, keyed("/b/x.png", "x.png"))
        assert not host.open()
        host.click_number(first)
        host.click_number(second)
        wait_for(lambda: clicked)
        assert clicked == ["/b/x.png"]


def test_numbers_of_old_labels_do_not_pile_up(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(menu_layout, "MAX_REMEMBERED_NUMBERS", 10)
    menu = ChangingMenu(*named("Stays"))
    with shown(host, menu) as icon:
        for count in range(30):
            menu.items = (*named("Stays", f"{count} waiting"),)
            host.open()
        assert len(icon._bus_menu._numbers._number_by_path) <= 11
        assert [item["id"] for item in host.menu()] == [1, 31]


def test_many_updates_at_once_become_one(host: Host) -> None:
    build_count = 0

    def build_items() -> list[Any]:  # runs in the icon's own loop: none of these updates can begin before it returns
        nonlocal build_count
        build_count += 1
        if build_count == 2:
            for _ in range(100):
                icon.update_menu()
        return named("One")

    with shown(host, build_items) as icon:
        assert build_count == 1
        host.open()
        wait_for(lambda: build_count >= 3)
        host.menu()
        assert build_count == 3


def test_opening_the_menu_brings_it_up_to_date(host: Host) -> None:
    menu = ChangingMenu(*named("One"))
    with shown(host, menu):
        menu.items = (*named("One", "Two"),)
        assert host.open()
        assert host.labels() == ["One", "Two"]
        assert not host.open()
        assert host.received("LayoutUpdated") == [[2, 0]]


def test_a_menu_that_cannot_be_built_stays_as_it_was(host: Host, caplog: Any) -> None:
    def fail(_item: Any) -> bool:
        raise ValueError("the menu is broken")

    menu = ChangingMenu(*named("One"))
    with shown(host, menu) as icon:
        menu.change(icon, Item("Two", None, checked=fail))
        assert not host.open()
        assert host.labels() == ["One"]
        menu.change(icon, *named("Three"))
        wait_for(lambda: host.labels() == ["Three"])
    assert "The menu could not be built" in caplog.text


def test_a_host_can_ask_for_part_of_the_menu(host: Host) -> None:
    with shown(host, Item("A", Menu(Item("B", Menu(*named("C"))))), *named("D")):
        a, b = host.item("A")["id"], host.item("A", "B")["id"]

        def layout(parent: int, depth: int, *names: str) -> Any:
            return plain(host.call("GetLayout", "iias", parent, depth, list(names))[1])

        assert layout(0, 0)[2] == []
        first, second = layout(0, 1, "label")[2]
        assert first == [a, {"label": "A"}, []]
        assert second[1:] == [{"label": "D"}, []]
        assert layout(a, 1, "label") == [a, {"label": "A"}, [[b, {"label": "B"}, []]]]
        assert layout(b, -1, "label")[2][0][1] == {"label": "C"}
        assert layout(0, 2)[2][0][2][0][0] == b
        assert layout(0, 2)[2][0][2][0][2] == []
        group = host.call("GetGroupProperties", "aias", [b, 99], ["label", "enabled"])
        assert plain(group) == [[[b, {"label": "B", "enabled": True}]]]
        assert len(host.call("GetGroupProperties", "aias", [], [])[0]) == 5
        assert host.call("GetProperty", "is", b, "label") == [Variant("s", "B")]


def test_one_call_can_name_several_items(host: Host) -> None:
    clicked: list[str] = []
    menu = ChangingMenu(Item("One", lambda: clicked.append("one")))
    with shown(host, menu):
        events = [[number, "clicked", Variant("i", 0), 0] for number in (1, 98, 99)]
        assert host.call("EventGroup", "a(isvu)", events) == [[98, 99]]
        wait_for(lambda: clicked == ["one"])
        assert host.call("AboutToShowGroup", "ai", [0, 99]) == [[], [99]]
        menu.items = (*menu.items, *named("Two"))
        assert host.call("AboutToShowGroup", "ai", [0, 99]) == [[0], [99]]
        menu.items = (*named("Three"),)
        assert host.call("AboutToShowGroup", "ai", [99]) == [[], [99]]


def test_names_are_shown_as_they_are(host: Host) -> None:
    names = ["my_photo_nobg.png", "_", "__", "Grüße & <b>.png", "写真 🖼.png", ""]
    with shown(host, *named(*names, "half \udcff", "null\0")):
        assert host.labels() == [*names, "half ?", "null"]


# Clicks


def test_a_click_runs_in_a_thread_of_its_own_and_refreshes_the_menu(host: Host) -> None:
    is_on, may_finish, threads = [False], threading.Event(), []

    def toggle() -> None:
        threads.append(threading.current_thread())
        assert may_finish.wait(5)
        is_on[0] = not is_on[0]

    with shown(host, Item("Pause", toggle, checked=lambda _: is_on[0])):
        host.click("Pause")
        assert host.item("Pause")["toggle-state"] == 0  # the host gets its answer before the action has finished
        may_finish.set()
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.item("Pause")["toggle-state"] == 1
        assert threads[0].daemon


def test_a_click_that_fails_is_logged_and_refreshes_the_menu(host: Host, caplog: Any) -> None:
    is_on = [False]

    def fail() -> None:
        is_on[0] = True
        raise ValueError("the disk is full")

    with shown(host, Item("Pause", fail, checked=lambda _: is_on[0])):
        host.click("Pause")
        wait_for(lambda: host.received("ItemsPropertiesUpdated"))
        assert host.item("Pause")["toggle-state"] == 1
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info[1].args == ("the disk is full",)


def test_only_a_click_on_an_enabled_item_does_something(host: Host) -> None:
    clicked: list[str] = []
    items = [
        Item("Off", lambda: clicked.append("off"), enabled=False),
        LINE,
        Item("Below", Menu(*named("x"))),
        Item("On", lambda: clicked.append("on")),
    ]
    with shown(host, *items):
        for item in host.menu():
            host.call("Event", "isvu", item["id"], "hovered", Variant("s", ""), 0)
            host.call("Event", "isvu", item["id"], "opened", Variant("s", ""), 0)
        for item in host.menu():
            host.click_number(item["id"])
        host.click_number(0)
        wait_for(lambda: clicked)
        assert clicked == ["on"]


def test_a_click_on_the_icon_chooses_the_default_item(host: Host) -> None:
    clicked: list[str] = []
    menu = ChangingMenu(*named("One"), Item("History", lambda: clicked.append("history"), default=True))
    with shown(host, menu) as icon:
        assert not host.properties()["ItemIsMenu"]
        host.activate()
        wait_for(lambda: clicked == ["history"])
        menu.change(icon, *named("One"))
        wait_for(lambda: host.properties()["ItemIsMenu"])
        host.activate()
        assert clicked == ["history"]
