"""The words of the icon's menu and of what it says: one place for a translator. `batch` has those about pictures."""

from __future__ import annotations

APP = "nobg"

# The status line, which is the icon's tooltip, too
READY = "Ready"
WORKING = "Working: {progress}"
PAUSED = "Paused"
PAUSED_WAITING = "Paused, {count} waiting"
ATTENTION = "Something needs you: see below"

# The menu
PAUSE = "Pause"
FOLDERS = "Watched folders"
WATCH = "Watch this folder"
OPEN = "Open"
REMOVE_FOLDER = "Remove from this list"
FOLDER_MENU_LABELS = (WATCH, OPEN, REMOVE_FOLDER)
ADD_FOLDER = "Add folder…"
NO_FOLDER = "No folder yet"
OUTPUT = "Output"
OUTPUTS = (("transparent", "Transparent"), ("white", "White background"), ("crop", "Crop to subject"))
"""Recipe and label; a person's own recipe is there under its name while it is the one chosen."""
RECENT = "Recent"
NOTHING_YET = "Nothing yet"
SHOW_IN_FOLDER = "Show in folder"
UNDO_LAST = "Undo last"
HISTORY = "History…"
CONTEXT_MENU = "Right-click menu"
START_AT_LOGIN = "Start at login"
NOTIFICATIONS = "Notifications"
SETTINGS = "Open settings file"
ABOUT = "About"
VERSION = "nobg {version}"
MODEL = "Model: {model}"
OFFLINE = "Offline: verified by {means}"
OFFLINE_UNKNOWN = "Offline: verified when the next picture is done"
OFFLINE_UNVERIFIABLE = "Offline: this system cannot verify it"
QUIT = "Quit"
MORE = "… and {count} more"

# The first start
SET_UP = "Set up nobg"
OFFER_MENU = "Add “Remove background” to the right-click menu"
OFFER_FOLDER = "Watch the folder {folder}"
OFFER_LOGIN = "Start at login"
DECLINE_SETUP = "No, thank you"
PICTURES_FOLDER = "Remove background"
"""The folder in Pictures that is offered."""
WELCOME = "nobg is running"
WELCOME_TEXT = "It can add itself to the right-click menu, watch a folder in Pictures, and start at login."
WELCOME_ALL = "Set up all of it"
WELCOME_MENU = "Only right-click menu"
WELCOME_NONE = DECLINE_SETUP
RESTART_HINT = "To see it in {manager}: {how}; or log out and in again"

# Where no icon can be shown
NO_ICON = (
    "This desktop has no place for nobg's icon, so it runs without; everything can be done with commands: nobg --help. "
    "(On GNOME, the extension AppIndicator makes such a place.)"
)
NO_DESKTOP = "There is no desktop to show an icon on."

# What a click answers
FAILED = "That did not work"
UNEXPECTED_ERROR = "Something unforeseen happened. The file nobg.log beside the records says more."
NO_FILE_MANAGER = "No file manager that nobg knows was found on this computer."
MENU_CHANGED = "The right-click menu was changed"
CANNOT_CREATE_FOLDER = "The folder {folder} cannot be made ({why})."
OPEN_FOLDER = "Open folder"
UNDO = "Undo"
IN_TRASH = ("1 cut-out is in the trash", "{count} cut-outs are in the trash")
NOTHING_TO_UNDO = "There is nothing to undo"
NOT_UNDONE = "{name} was left: {why}"
CHOOSE_FOLDER = "Choose a folder to watch"
NO_CHOOSER = (
    "No program for choosing a folder was found. Install zenity or kdialog; or add the folder in the settings file."
)
CHOOSER_FAILED = "The window for choosing a folder did not open. You can add the folder in the settings file."
CANNOT_OPEN = "{name} could not be opened. Is there a program for such files?"
WATCHED = "{folder} is watched"
"""Title; the text says how many pictures are done now."""
WATCHED_EMPTY = "Pictures that you put there are done at once."
WATCHED_WITH_PICTURES = ("The picture in it is done, too.", "The {count} pictures in it are done, too.")


def pluralize(forms: tuple[str, str], count: int) -> str:
    """The form for one or for many, with the number in it."""
    return forms[0 if count == 1 else 1].format(count=count)
