"""Every text that this wing shows a person, in one place for a translator: icon, menu, notifications and their answers.

Of a pair of texts, the first is for a count of one, the second for every other count; see `pluralize`.
"""

from __future__ import annotations

APP = "nobg"

# The status line: the first line of the menu, and the tooltip
READY = "Ready"
WORKING = "Working: {progress}"
PAUSED = "Paused"
PAUSED_WAITING = "Paused, {count} waiting"
ATTENTION = "Needs your attention: see below"
TOOLTIP = "nobg: {status}"

# How far the work is
PROGRESS = "{finished} of {total}"
PROGRESS_LEFT = "{finished} of {total}, about {left}"
SECONDS, MINUTES, HOURS = "{count} s", "{count} min", "{count} h"

# The menu
PAUSE = "Pause"
FOLDERS = "Watched folders"
WATCH = "Watch this folder"
OPEN = "Open"
RECURSIVE = "Also the folders inside it"
REMOVE_FOLDER = "Remove from this list"
FOLDER_MENU_LABELS = (WATCH, RECURSIVE, OPEN, REMOVE_FOLDER)
UNWATCHED = (
    "1 picture in folders inside it is not watched.",
    "{count} pictures in folders inside it are not watched.",
)
UNWATCHED_AT_LEAST = (
    "At least 1 picture in folders inside it is not watched.",
    "At least {count} pictures in folders inside it are not watched.",
)
FOLDER_NOTICE = "{folder}: {notice}"
NAMED_LIKE_CUT_OUTS = (
    "{example} is left, since it has the name of a cut-out. To have it done, rename it.",
    "{count} pictures, such as {example}, are left, since they have names of cut-outs. To have them done, rename them.",
)
ADD_FOLDER = "Add folder…"
NO_FOLDER = "No folder yet"
OUTPUT = "Output"
OUTPUTS = (("transparent", "Transparent"), ("white", "White background"), ("crop", "Crop to subject"))
"""Recipes and their labels. A recipe of the person's own appears under its name while it is the chosen one."""
RECENT = "Recent"
NOTHING_YET = "Nothing yet"
SHOW_IN_FOLDER = "Show in folder"
TOUCH_UP = "Touch up…"
UNCLEAR = "{name}: no clear subject"
SHOW_WHERE = "Show me where"
CUT_OUT_ANYWAY = "Cut out anyway"
WANT_A_LOOK = ("1 wants a look…", "{count} want a look…")
MANY_WANT_A_LOOK = "{count} or more want a look…"
UNDO_LAST = "Undo last"
HISTORY = "History…"
FORGET = "Forget the history"
FORGET_ALL = "Everything"
FORGET_OLDER = "What is older than {count} days"
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

# The first start
SET_UP = "Set up nobg"
OFFER_MENU = "Add “Remove background” to the right-click menu"
OFFER_FOLDER = "Watch the folder {folder}"
OFFER_LOGIN = "Start at login"
DECLINE_SETUP = "No, thank you"
PICTURES_FOLDER = "Remove background"
"""The folder in Pictures that nobg offers to watch."""
WELCOME = "nobg is running"
WELCOME_TEXT = "It can add itself to the right-click menu, watch a folder in Pictures, and start at login."
NO_PICTURES_FOLDER = "There is no Pictures folder, because there is no home folder. Add a folder of your own instead."
WELCOME_ALL = "Set up everything"
WELCOME_MENU = "Only the right-click menu"
WELCOME_NONE = DECLINE_SETUP
RESTART_HINT = "To see it in {manager}: {how}; or log out and in again"

# Desktops that cannot show an icon
NO_ICON = (
    "This desktop has no place for nobg's icon, so nobg runs without one. On GNOME, the AppIndicator extension "
    "provides a place for icons."
)
NO_DESKTOP = "There is no desktop to show an icon on."
NO_X_DISPLAY = "The X display has ended."

# Answers to a click
FAILED = "That did not work"
UNEXPECTED_ERROR = "Something unexpected happened. The file nobg.log in nobg's state folder says more."
NO_FILE_MANAGER = "No file manager that nobg supports was found on this computer."
MENU_CHANGED = "The right-click menu was changed"
MENU_PROBLEM = "{manager}: {problem}"
CANNOT_CREATE_FOLDER = "The folder {folder} could not be created ({why})."
OPEN_FOLDER = "Open folder"
UNDO = "Undo"
IN_TRASH = ("1 cut-out is in the trash", "{count} cut-outs are in the trash")
NOTHING_TO_UNDO = "There is nothing to undo"
NOTHING_TO_CUT_OUT = "nobg no longer knows these pictures. Right-click them to cut them out."
NOT_UNDONE = "{name} was not undone: {why}"
FORGOTTEN = ("1 picture is forgotten", "{count} pictures are forgotten")
FORGOTTEN_TEXT = "Names and places are deleted. Pictures and cut-outs stay where they are."
CHOOSE_FOLDER = "Choose a folder to watch"
NO_CHOOSER = (
    "No program for choosing a folder was found. Install zenity or kdialog, or add the folder in the settings file."
)
CHOOSER_FAILED = "The window for choosing a folder did not open. You can add the folder in the settings file."
CANNOT_OPEN = "{name} could not be opened. Check that a program for such files is installed."
WATCHED = "{folder} is watched"
"""The title; one of the next texts is the body."""
WATCHED_EMPTY = "Pictures that you put there are done at once."
WATCHED_WITH_PICTURES = ("The picture in it will be done, too.", "The {count} pictures in it will be done, too.")
RECORDS_DAMAGED = "nobg's records were damaged"

# Finished pictures
DONE = ("Cut-out ready", "{count} cut-outs ready")
PARTLY_DONE = ("1 cut-out ready, {missed} not", "{count} cut-outs ready, {missed} not")
NONE_DONE = ("{name} could not be done", "{count} pictures could not be done")
NO_SUBJECT = ("No clear subject", "No clear subject in {count} pictures")
NOTHING_NEW = "Nothing new to do"
DONE_BEFORE = (
    "{name} was done before and has not changed",
    "{count} pictures were done before and have not changed",
)
ONE_LOCATION = "{name} in {folder}"
LOCATIONS = ("In {folder}", "In {count} folders")
FAILURE_LINE = "{name}: {reason}"
NO_SUBJECT_LINE = "{name} shows no clear subject, so nothing was written"
MORE = "… and {count} more"
HAVE_A_LOOK = "Have a look"
IT_WANTS_A_LOOK = "It wants a look: {reason}"
OF_THEM_WANT_A_LOOK = ("1 of them wants a look", "{count} of them want a look")


def pluralize(forms: tuple[str, str], count: int, **values: object) -> str:
    """Return the form for one or for many, with `count` and the other `values` filled in."""
    return forms[0 if count == 1 else 1].format(count=count, **values)
