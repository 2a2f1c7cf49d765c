"""An icon for pystray that speaks to Linux desktops over the session bus alone: no display, no GTK, no X.

The icon is org.kde.StatusNotifierItem (freedesktop.org's StatusNotifierItem), its menu com.canonical.dbusmenu
(libdbusmenu's dbus-menu.xml). For Linux, and only when an icon is wanted: importing this takes a tenth of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import itertools
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

from dbus_fast import DBusError, DBusFastError, ErrorType, Message, MessageFlag, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusInt32, DBusSignature, DBusStr, DBusUInt32, DBusVariant
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from watcher.desktop import session_bus

WATCHER, WATCHER_PATH = "org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher"
ITEM, ITEM_PATH = "org.kde.StatusNotifierItem", "/StatusNotifierItem"
MENU, MENU_PATH = "com.canonical.dbusmenu", "/MenuBar"
BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"

ROOT = 0  # the menu itself among its items
UPDATE_DELAY_SECONDS = 0.03  # seconds in which many calls of update_menu become one
BUS_TIMEOUT_SECONDS = 3.0  # seconds for the bus to answer at the start
MAX_REMEMBERED_NUMBERS = 10_000  # items remembered, beyond which those that are not in the menu are forgotten

logger = logging.getLogger(__name__)


def pystray_base() -> Any:
    """The module of pystray with Menu, MenuItem and the base of all icons; the same on every system, with no display.

    `import pystray` chooses a backend, and fails where that finds no display; the one chosen here has nothing to find.
    """
    before = os.environ.get("PYSTRAY_BACKEND")
    os.environ["PYSTRAY_BACKEND"] = "dummy"
    try:
        return import_module("pystray._base")
    finally:
        if before is None:
            del os.environ["PYSTRAY_BACKEND"]
        else:
            os.environ["PYSTRAY_BACKEND"] = before


_Base: Any = pystray_base().Icon
_SEPARATOR: Any = pystray_base().Menu.SEPARATOR

Nothing = Annotated[None, DBusSignature("")]  # dbus-fast does not read None where annotations are strings
Ids = Annotated[list[int], DBusSignature("ai")]
Names = Annotated[list[str], DBusSignature("as")]
Properties = dict[str, Variant]
Pixmap = tuple[int, int, bytes]
"""Width, height and pixels, four bytes each: alpha, red, green, blue."""


def pixmaps(images: Any) -> list[Pixmap]:
    """One PIL image, or several sizes of one, as the specification wants them; their sizes stay."""
    return [_pixmap(image) for image in (images if isinstance(images, Sequence) else [images])]


def _pixmap(image: Any) -> Pixmap:
    rgba = image.convert("RGBA").tobytes()
    argb = bytearray(len(rgba))
    argb[0::4] = rgba[3::4]
    for channel in range(3):
        argb[channel + 1 :: 4] = rgba[channel::4]
    return image.width, image.height, bytes(argb)


def _sanitize(text: object) -> str:
    """What may be sent: the bus cuts off who sends it half a character or a null byte."""
    return str(text or "").replace("\0", "").encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class _Entry:
    """An item of the menu as it was when the menu was made."""

    properties: Properties
    children: tuple[int, ...] = ()
    item: Any = None


_Layout = Mapping[int, _Entry]
_ItemPath = tuple[tuple[object, int], ...]
"""The names down to an item, each with how many before it in its menu have the same.

An item's name is its attribute `key`, if somebody gave it one, else its label; None: a separator.
"""


class _ItemNumbers:
    """The items' numbers on the bus. A number is never given to another item: a host may still show an older menu."""

    def __init__(self) -> None:
        self._number_by_path: dict[_ItemPath, int] = {}
        self._counter = itertools.count(ROOT + 1)
        self.newest = ROOT

    def number_of(self, path: _ItemPath) -> int:
        """The number of the item with this path."""
        number = self._number_by_path.get(path)
        if number is None:
            number = self._number_by_path[path] = self.newest = next(self._counter)
        return number

    def forget_unused(self, layout: _Layout) -> None:
        """Labels that change all the time must not fill the memory."""
        if len(self._number_by_path) > MAX_REMEMBERED_NUMBERS:
            self._number_by_path = {path: number for path, number in self._number_by_path.items() if number in layout}


def _build_layout(menu: Any, numbers: _ItemNumbers) -> _Layout:
    """The menu as it is now, by number."""
    entries: dict[int, _Entry] = {}

    def add(items: Iterable[Any], path: _ItemPath) -> tuple[int, ...]:
        seen: Counter[object] = Counter()
        children = []
        for item in items:
            label = None if item is _SEPARATOR else _sanitize(item.text)
            name = getattr(item, "key", label)
            own = (*path, (name, seen[name]))
            seen[name] += 1
            number = numbers.number_of(own)
            below = () if item.submenu is None else add(item.submenu, own)
            entries[number] = _Entry(_item_properties(item, label), below, item)
            children.append(number)
        return tuple(children)

    root = add(() if menu is None else menu, ())
    return {ROOT: _Entry({"children-display": Variant("s", "submenu")}, root), **entries}


def _item_properties(item: Any, label: str | None) -> Properties:
    if label is None:
        return {"type": Variant("s", "separator"), "visible": Variant("b", True)}
    properties = {
        "label": Variant("s", label.replace("_", "__")),  # one alone marks the key to press
        "enabled": Variant("b", bool(item.enabled)),
        "visible": Variant("b", True),
    }
    if item.submenu is not None:
        properties["children-display"] = Variant("s", "submenu")
    checked = item.checked
    if checked is not None:
        properties["toggle-type"] = Variant("s", "radio" if item.radio else "checkmark")
        properties["toggle-state"] = Variant("i", int(bool(checked)))
    return properties


def _default_item(layout: _Layout) -> Any:
    """The item that a click on the icon itself chooses, if there is one."""
    items = (layout[number].item for number in layout[ROOT].children)
    return next((item for item in items if item.default and item.enabled), None)


def _structure(layout: _Layout) -> dict[int, tuple[int, ...]]:
    return {number: entry.children for number, entry in layout.items()}


def _diff_properties(
    old: _Layout, new: _Layout, newest_known: int
) -> tuple[list[tuple[int, Properties]], list[tuple[int, list[str]]]]:
    """Properties that changed and those that are gone, of items with numbers up to `known`.

    A host asks for those of new items by itself. Of one that has come back it may still have the old ones.
    """
    updated, removed = [], []
    for number, entry in new.items():
        before = old[number].properties if number in old else {}
        changed = {name: value for name, value in entry.properties.items() if before.get(name) != value}
        gone = [name for name in before if name not in entry.properties]
        if changed and number <= newest_known:
            updated.append((number, changed))
        if gone:
            removed.append((number, gone))
    return updated, removed


class _Menu(ServiceInterface):
    """The menu on the bus. `act`: what a click on an item does."""

    def __init__(self, icon: Icon, activate_item: Callable[[Any], None]) -> None:
        super().__init__(MENU)
        self._icon = icon
        self._activate_item = activate_item
        self._numbers = _ItemNumbers()
        self._layout: _Layout = _build_layout(None, self._numbers)
        self._revision = 0
        self.default_item: Any = None

    def refresh(self) -> bool:
        """Make the menu anew and say what has changed. True: its structure has."""
        known = self._numbers.newest
        try:
            layout = _build_layout(self._icon.menu, self._numbers)
            self.default_item = _default_item(layout)
        except Exception:
            logger.exception("The menu could not be made; it stays as it was")  # the functions in it are not ours
            return False
        old, self._layout = self._layout, layout
        self._numbers.forget_unused(layout)
        restructured = _structure(old) != _structure(layout)
        if restructured:
            self._revision += 1
            self.layout_updated(self._revision, ROOT)
        updated, removed = _diff_properties(old, layout, known)
        if updated or removed:  # GNOME draws check marks anew for this signal only
            self.items_properties_updated(updated, removed)
        return restructured

    def _find_entry(self, number: int) -> _Entry:
        if number not in self._layout:
            raise DBusError(ErrorType.INVALID_ARGS, f"There is no item {number}.")
        return self._layout[number]

    def _tree(self, number: int, depth: int, names: Sequence[str]) -> list[Any]:
        """The item with those below it, `depth` levels of them; a negative depth means all."""
        entry = self._find_entry(number)
        below = entry.children if depth else ()
        children = [Variant("(ia{sv}av)", self._tree(child, depth - 1, names)) for child in below]
        return [number, _filter_properties(entry.properties, names), children]

    def _handle_event(self, number: int, kind: str) -> bool:
        """False: there is no such item (any more)."""
        entry = self._layout.get(number)
        if entry is None:
            return False
        enabled = entry.properties.get("enabled")
        if kind == "clicked" and enabled is not None and enabled.value:
            self._activate_item(entry.item)
        return True

    @dbus_property(PropertyAccess.READ, name="Version")
    def version(self) -> DBusUInt32:
        """Of the protocol."""
        return 3

    @dbus_property(PropertyAccess.READ, name="TextDirection")
    def text_direction(self) -> DBusStr:
        """Our words are English."""
        return "ltr"

    @dbus_property(PropertyAccess.READ, name="Status")
    def status(self) -> DBusStr:
        """Should the person look at the menu?"""
        return "notice" if self._icon.attention else "normal"

    @dbus_property(PropertyAccess.READ, name="IconThemePath")
    def icon_theme_path(self) -> Names:
        """Items have no icons."""
        return []

    @dbus_method(name="GetLayout")
    def get_layout(
        self, parent: DBusInt32, depth: DBusInt32, names: Names
    ) -> Annotated[tuple[int, list[Any]], DBusSignature("u(ia{sv}av)")]:
        """The revision, and the menu from `parent` on."""
        return self._revision, self._tree(parent, depth, names)

    @dbus_method(name="GetGroupProperties")
    def get_group_properties(
        self, ids: Ids, names: Names
    ) -> Annotated[list[tuple[int, Properties]], DBusSignature("a(ia{sv})")]:
        """Those of several items; without ids, of all."""
        found = [number for number in ids or self._layout if number in self._layout]
        return [(number, _filter_properties(self._layout[number].properties, names)) for number in found]

    @dbus_method(name="GetProperty")
    def get_property(self, number: DBusInt32, name: DBusStr) -> DBusVariant:
        """One of one item."""
        value = self._find_entry(number).properties.get(name)
        if value is None:
            raise DBusError(ErrorType.INVALID_ARGS, f"Item {number} has no property {name!r}.")
        return value

    @dbus_method(name="Event")
    def event(self, number: DBusInt32, kind: DBusStr, _data: DBusVariant, _timestamp: DBusUInt32) -> Nothing:
        """The person has done something. An item that is gone has been clicked in an older menu: nothing happens."""
        self._handle_event(number, kind)

    @dbus_method(name="EventGroup")
    def event_group(self, events: Annotated[list[tuple[int, str, Variant, int]], DBusSignature("a(isvu)")]) -> Ids:
        """Several at once; the ids that are not there."""
        return [number for number, kind, _, _ in events if not self._handle_event(number, kind)]

    @dbus_method(name="AboutToShow")
    def about_to_show(self, number: DBusInt32) -> DBusBool:
        """Has the host to fetch the menu again?"""
        self._find_entry(number)
        return self.refresh()

    @dbus_method(name="AboutToShowGroup")
    def about_to_show_group(self, ids: Ids) -> Annotated[tuple[list[int], list[int]], DBusSignature("aiai")]:
        """Those to be fetched again, and those that are not there."""
        unknown = [number for number in ids if number not in self._layout]
        known = [number for number in ids if number in self._layout]
        return known if self.refresh() else [], unknown

    @dbus_signal(name="LayoutUpdated")
    def layout_updated(self, revision: int, parent: int) -> Annotated[tuple[int, int], DBusSignature("ui")]:
        """The structure below `parent` is another."""
        return revision, parent

    @dbus_signal(name="ItemsPropertiesUpdated")
    def items_properties_updated(
        self, updated: list[tuple[int, Properties]], removed: list[tuple[int, list[str]]]
    ) -> Annotated[tuple[list[Any], list[Any]], DBusSignature("a(ia{sv})a(ias)")]:
        """Items look different."""
        return updated, removed


def _filter_properties(properties: Properties, names: Sequence[str]) -> Properties:
    return {name: value for name, value in properties.items() if not names or name in names}


def _readable_property(name: str, signature: str, read_value: Callable[[_Item], Any]) -> Any:
    """A property of the icon that others may read. `name`: as it is called in the class, too."""

    def get(item: _Item) -> Any:
        return read_value(item)

    get.__name__ = name
    get.__annotations__ = {"return": signature}
    return dbus_property(PropertyAccess.READ)(get)


class _Item(ServiceInterface):
    """The icon on the bus: all that the specification names, since some hosts ask for everything at once."""

    def __init__(self, icon: Icon, activate: Callable[[], None], has_default: Callable[[], bool]) -> None:
        super().__init__(ITEM)
        self.icon = icon
        self.pixmaps: list[Pixmap] = []
        self.has_default = has_default
        self._activate = activate

    def title(self) -> tuple[str, str]:
        """The title's first line, and the rest of it."""
        first, _, rest = _sanitize(self.icon.title).partition("\n")
        return first, rest

    def status(self) -> str:
        """In the specification's words."""
        if not self.icon.visible:
            return "Passive"
        return "NeedsAttention" if self.icon.attention else "Active"

    def tooltip(self) -> tuple[str, list[Pixmap], str, str]:
        """Icon, pixmaps, title and text; the text may have marks of HTML in it, and so ours must not."""
        title, text = self.title()
        return "", [], title, html.escape(text, quote=False)

    Category = _readable_property("Category", "s", lambda _: "ApplicationStatus")
    Id = _readable_property("Id", "s", lambda item: _sanitize(item.icon.name))
    Title = _readable_property("Title", "s", lambda item: item.title()[0])
    Status = _readable_property("Status", "s", lambda item: item.status())
    WindowId = _readable_property("WindowId", "i", lambda _: 0)
    IconName = _readable_property("IconName", "s", lambda _: "")
    IconPixmap = _readable_property("IconPixmap", "a(iiay)", lambda item: item.pixmaps)
    IconThemePath = _readable_property("IconThemePath", "s", lambda _: "")
    OverlayIconName = _readable_property("OverlayIconName", "s", lambda _: "")
    OverlayIconPixmap = _readable_property("OverlayIconPixmap", "a(iiay)", lambda _: [])
    AttentionIconName = _readable_property("AttentionIconName", "s", lambda _: "")
    AttentionIconPixmap = _readable_property("AttentionIconPixmap", "a(iiay)", lambda item: item.pixmaps)
    AttentionMovieName = _readable_property("AttentionMovieName", "s", lambda _: "")
    ToolTip = _readable_property("ToolTip", "(sa(iiay)ss)", lambda item: item.tooltip())
    ItemIsMenu = _readable_property("ItemIsMenu", "b", lambda item: not item.has_default())
    Menu = _readable_property("Menu", "o", lambda _: MENU_PATH)

    @dbus_method(name="Activate")
    def activate(self, _x: DBusInt32, _y: DBusInt32) -> Nothing:
        """A click with the first button."""
        self._activate()

    @dbus_method(name="SecondaryActivate")
    def secondary_activate(self, _x: DBusInt32, _y: DBusInt32) -> Nothing:
        """A click with the middle button does nothing."""

    @dbus_method(name="ContextMenu")
    def context_menu(self, _x: DBusInt32, _y: DBusInt32) -> Nothing:
        """The host shows the menu by itself."""

    @dbus_method(name="Scroll")
    def scroll(self, _delta: DBusInt32, _orientation: DBusStr) -> Nothing:
        """The wheel does nothing."""

    @dbus_signal(name="NewTitle")
    def new_title(self) -> Nothing:
        """The title is another."""

    @dbus_signal(name="NewToolTip")
    def new_tool_tip(self) -> Nothing:
        """What is said under the pointer is another."""

    @dbus_signal(name="NewIcon")
    def new_icon(self) -> Nothing:
        """The pixmaps are others."""

    @dbus_signal(name="NewAttentionIcon")
    def new_attention_icon(self) -> Nothing:
        """The same, for the status NeedsAttention."""

    @dbus_signal(name="NewStatus")
    def new_status(self) -> DBusStr:
        """The status is another: it comes with the signal."""
        return self.status()


class Icon(_Base):  # type: ignore[misc]  # pystray has no types
    """pystray's icon, with these differences.

    - `icon` may be a sequence of PIL images, the same picture in several sizes; the host takes the one that fits.
    - `title`: what follows a line end is the tooltip's smaller text.
    - `attention`: something waits for the person. `registered`: a host has taken the icon.
    - `run` may be called in any thread. It raises ConnectionError where there is no session bus, or when that goes
      away; it may be called again. `stop` is for good, also when `run` has not begun yet.
    - Clicks are answered in threads of their own.
    """

    HAS_NOTIFICATION = False

    def __init__(self, name: str, icon: Any = None, title: str | None = None, menu: Any = None) -> None:
        super().__init__(name, icon, title, menu)
        self.registered = False
        self._attention = False
        self._setup: Callable[[Any], object] | None = None
        self._bus_menu = _Menu(self, self._activate_item)
        self._bus_item = _Item(self, self._activate_default, lambda: self._bus_menu.default_item is not None)
        self._bus: MessageBus | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._host: str | None = None  # who shows icons: a name on the bus, or "" for nobody; None: not known yet
        self._registration_task: asyncio.Task[None] | None = None
        self._pending_update: asyncio.TimerHandle | None = None

    @property
    def attention(self) -> bool:
        """Does something wait for the person?"""
        return self._attention

    @attention.setter
    def attention(self, value: bool) -> None:
        if value != self._attention:
            self._attention = value
            self._call_in_loop(self._emit_status)

    def stop(self) -> None:
        """End `run`; from any thread."""
        self._stopped = True
        if self._task is not None:
            self._call_in_loop(self._task.cancel)

    def _start_setup(self, setup: Callable[[Any], object] | None) -> None:
        self._setup = setup

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        self._host, self._pending_update = None, None
        try:
            if not self._stopped:  # looked at after the loop can be seen: stop() does it the other way round
                await self._serve()
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        finally:
            self._loop = self._bus = None
            self.registered = False

    async def _serve(self) -> None:
        """Be there for hosts until the bus is gone. Raises ConnectionError then."""
        self._bus = bus = await _connect()
        lost = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
        try:
            self._bus_menu.refresh()
            bus.export(MENU_PATH, self._bus_menu)
            bus.export(ITEM_PATH, self._bus_item)
            bus.add_message_handler(self._on_bus_message)
            await self._find_host(bus)
            self._call_setup()
            await asyncio.wait({lost})
        finally:
            bus.disconnect()
            await asyncio.wait({lost}, timeout=1)
        raise ConnectionError("The session bus is gone, and the icon with it.") from lost.exception()

    async def _find_host(self, bus: MessageBus) -> None:
        """See who shows icons, and be told when that changes."""
        rule = f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{WATCHER}'"
        try:
            async with asyncio.timeout(BUS_TIMEOUT_SECONDS):
                await bus.call(_make_message(BUS, BUS_PATH, BUS, "AddMatch", rule))
                answer = await bus.call(_make_message(BUS, BUS_PATH, BUS, "GetNameOwner", WATCHER))
        except (OSError, EOFError, DBusFastError) as error:
            raise ConnectionError(f"The session bus does not answer: {error}") from error
        if self._host is None:  # a change that we have been told of is newer
            self._set_host(answer.body[0] if answer.message_type is MessageType.METHOD_RETURN else "")

    def _call_setup(self) -> None:
        if self._setup is None:
            self.visible = True
        else:
            _start_thread(self._setup, self)

    def _on_bus_message(self, message: Message) -> None:
        if message.member == "NameOwnerChanged" and message.sender == BUS and message.body[0] == WATCHER:
            self._set_host(message.body[2])

    def _set_host(self, host: str) -> None:
        self._host = host
        self.registered = False
        self._register()

    def _register(self) -> None:
        """Once visible: GNOME loses an icon that is passive when it comes."""
        if self._host and self._visible and not self.registered and self._bus is not None:
            self._registration_task = asyncio.ensure_future(self._register_with(self._host, self._bus))

    async def _register_with(self, host: str, bus: MessageBus) -> None:
        """By the connection's own name: GNOME loses most icons that come under a name of the form ITEM-PROCESS-1."""
        message = _make_message(WATCHER, WATCHER_PATH, WATCHER, "RegisterStatusNotifierItem", bus.unique_name)
        try:
            answer = await bus.call(message)
        except (OSError, EOFError, DBusFastError):  # the bus is gone, which _serve says
            return
        if self._host != host:  # another has come meanwhile, and has its own registration
            return
        self.registered = answer.message_type is MessageType.METHOD_RETURN
        if not self.registered:
            logger.warning("The icon was refused: %s", answer.body)

    def _call_in_loop(self, callback: Callable[..., object]) -> None:
        """Call it in the thread of `run`, if that is there."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended meanwhile
                loop.call_soon_threadsafe(callback)

    def _show(self) -> None:
        self._visible = True  # pystray does it after this, when a host may have asked already
        self._call_in_loop(self._emit_status)
        self._call_in_loop(self._register)

    def _hide(self) -> None:
        self._visible = False
        self._call_in_loop(self._emit_status)

    def _emit_status(self) -> None:
        self._bus_item.new_status()
        self._bus_menu.emit_properties_changed({"Status": self._bus_menu.status})

    def _update_icon(self) -> None:
        self._bus_item.pixmaps = pixmaps(self.icon)
        self._icon_valid = True
        self._call_in_loop(self._bus_item.new_icon)
        self._call_in_loop(self._bus_item.new_attention_icon)

    def _update_title(self) -> None:
        self._call_in_loop(self._bus_item.new_title)
        self._call_in_loop(self._bus_item.new_tool_tip)

    def _update_menu(self) -> None:
        self._call_in_loop(self._schedule_update)

    def _schedule_update(self) -> None:
        if self._pending_update is None:
            self._pending_update = asyncio.get_running_loop().call_later(UPDATE_DELAY_SECONDS, self._refresh_menu)

    def _refresh_menu(self) -> None:
        self._pending_update = None
        self._bus_menu.refresh()

    def _activate_default(self) -> None:
        if self._bus_menu.default_item is not None:
            self._activate_item(self._bus_menu.default_item)

    def _activate_item(self, item: Any) -> None:
        _start_thread(self._run_item, item)

    def _run_item(self, item: Any) -> None:
        try:
            item(self)
        finally:
            self.update_menu()


def _start_thread(callback: Callable[..., object], *arguments: object) -> None:
    threading.Thread(target=_run_logged, args=(callback, *arguments), daemon=True).start()


def _run_logged(callback: Callable[..., object], *arguments: object) -> None:
    """Whatever goes wrong in a function that we were given, the icon stays."""
    try:
        callback(*arguments)
    except Exception:
        logger.exception("What the icon was to do has failed")


def _make_message(destination: str, path: str, interface: str, member: str, argument: str | None) -> Message:
    return Message(
        destination=destination,
        path=path,
        interface=interface,
        member=member,
        signature="s",
        body=[argument],
        flags=MessageFlag.NO_AUTOSTART,  # a desktop without a host for icons does not want one
    )


def has_host() -> bool:
    """Is there anybody on the session bus who shows icons?"""

    async def ask() -> bool:
        bus = await _connect()
        try:
            answer = await bus.call(_make_message(BUS, BUS_PATH, BUS, "GetNameOwner", WATCHER))
            return answer.message_type is MessageType.METHOD_RETURN
        finally:
            bus.disconnect()

    try:
        return asyncio.run(ask())
    except (OSError, EOFError, DBusFastError):
        return False


async def _connect() -> MessageBus:
    address = session_bus.address()
    try:
        async with asyncio.timeout(BUS_TIMEOUT_SECONDS):
            return await MessageBus(address).connect()
    except (OSError, EOFError, ValueError, DBusFastError) as error:
        raise ConnectionError(f"The session bus does not answer ({address}): {error}") from error
