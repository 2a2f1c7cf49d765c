"""Finder (macOS): Quick Actions, which are also Services: bundles like those that Automator saves.

The keys were compared with bundles that people saved with Automator 2.9 and 2.10.
"""

from __future__ import annotations

import plistlib
import unicodedata
import uuid
from collections.abc import Sequence
from typing import Any

from integrations.context import Setup
from integrations.file_names import unique_file_names
from integrations.files import File
from integrations.target import Target
from integrations.verbs import (
    BUILT_IN_RECIPES,
    GONE_TEXT,
    ONE_PICTURE_TEXT,
    PROGRAM_NAME,
    REMOVE_LABEL,
    TOUCH_UP_LABEL,
    Verb,
)

_UUID_NAMESPACE = uuid.UUID("0b7c4c5e-93f5-4d0f-9a86-6f0d5a1f7c11")
_IMAGE_TYPE = "com.apple.Automator.fileSystemObject.image"
_NOTHING_TYPE = "com.apple.Automator.nothing"
_ALERT = "on run argv\ndisplay alert (item 1 of argv) message (item 2 of argv)\nend run"
_ACTION_BUNDLE = "/System/Library/Automator/Run Shell Script.action"


def artifacts(setup: Setup) -> list[File]:
    """Return the two files of each verb's bundle: Info.plist describes the service, document.wflow what it does."""
    folder = setup.home / "Library" / "Services"
    files = []
    labelled_verbs = unique_labels(setup.all_verbs)
    # Finder shows a colon in a file name as a slash, and does not let people type a colon.
    names = unique_file_names(label.replace(":", "\N{MODIFIER LETTER COLON}") for _, label in labelled_verbs)
    for (verb, label), name in zip(labelled_verbs, names, strict=True):
        bundle = f"{name}.workflow"
        contents = folder / bundle / "Contents"
        files.append(File(contents / "Info.plist", plistlib.dumps(info_plist(label))))
        files.append(File(contents / "document.wflow", plistlib.dumps(workflow_document(setup, verb, bundle))))
    return files


def unique_labels(verbs: Sequence[Verb]) -> list[tuple[Verb, str]]:
    """Return each verb with its label, which names nobg.

    Quick Actions have no sub-menus, and macOS 12 and later have a "Remove Background" of their own. No two labels are
    equal on a disk that ignores case.
    """
    taken_names: set[str] = set()
    labelled_verbs = []
    for verb in verbs:
        label = f"{_menu_title(verb)} ({PROGRAM_NAME})"
        if _normalize_file_name(label) in taken_names:
            label = f"{_menu_title(verb)} ({PROGRAM_NAME}, {verb.key})"
        taken_names.add(_normalize_file_name(label))
        labelled_verbs.append((verb, label))
    return labelled_verbs


def _normalize_file_name(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _menu_title(verb: Verb) -> str:
    """Return nobg's own labels in title case, as macOS writes menus; a person's label stays as it is."""
    if verb.label not in (REMOVE_LABEL, TOUCH_UP_LABEL, *dict(BUILT_IN_RECIPES).values()):
        return verb.label
    return " ".join(word if word == "to" else word[:1].upper() + word[1:] for word in verb.label.split())


def info_plist(label: str) -> dict[str, Any]:
    """Return the content of Info.plist."""
    service = {
        "NSBackgroundColorName": "background",
        "NSIconName": "NSActionTemplate",
        "NSMenuItem": {"default": label},
        "NSMessage": "runWorkflowAsService",
        "NSRequiredContext": {"NSApplicationIdentifier": "com.apple.finder"},
        "NSSendFileTypes": ["public.image"],
    }
    return {"NSServices": [service]}


def zsh_command(setup: Setup, verb: Verb, bundle: str) -> str:
    """Return the shell script of a verb, for zsh. Automator passes the pictures as arguments.

    `bundle`: the name of the bundle, to be deleted by hand if it outlives nobg.
    """
    words = " ".join(map(_quote, [*setup.client_command, *verb.arguments]))
    program, text = _quote(setup.client_program), _quote(f"{GONE_TEXT} ~/Library/Services/{bundle}")
    lines = _alert_if(f"! -x {program}", text)
    if verb == setup.touch_up:  # Finder cannot hide it where more than one is selected
        lines += _alert_if("$# -ne 1", _quote(ONE_PICTURE_TEXT))
    return f'{lines}exec {words} -- "$@"\n'


def _alert_if(condition: str, text: str) -> str:
    """Return lines for zsh that show the text, a quoted word, and end, if the condition is met."""
    alert = f"osascript -e {_quote(_ALERT)} {_quote(PROGRAM_NAME)} {text}"
    return f"if [[ {condition} ]]; then\n  {alert}\n  exit 1\nfi\n"


def _quote(word: str) -> str:
    """Return the word in quotes, needed or not: zsh, unlike other shells, expands a bare =word."""
    return "'" + word.replace("'", "'\"'\"'") + "'"


def workflow_document(setup: Setup, verb: Verb, bundle: str) -> dict[str, Any]:
    """Return the content of document.wflow, in the bundle of that name: one action, "Run Shell Script"."""
    service_types = {
        "inputTypeIdentifier": _IMAGE_TYPE,
        "outputTypeIdentifier": _NOTHING_TYPE,
        "serviceInputTypeIdentifier": _IMAGE_TYPE,
        "serviceOutputTypeIdentifier": _NOTHING_TYPE,
        "workflowTypeIdentifier": "com.apple.Automator.servicesMenu",
    }
    return {
        "AMApplicationBuild": "521",
        "AMApplicationVersion": "2.10",
        "AMDocumentVersion": "2",
        "actions": [{"action": _shell_script_action(zsh_command(setup, verb, bundle), verb.key), "isViewVisible": 1}],
        "connectors": {},
        "workflowMetaData": {
            **service_types,
            "applicationBundleIDsByPath": {},
            "applicationPaths": [],
            "presentationMode": 15,
            "processesInput": 0,
            "serviceApplicationBundleID": "com.apple.finder",
            "serviceApplicationPath": "/System/Library/CoreServices/Finder.app",
            "serviceProcessesInput": 0,
            "systemImageName": "NSActionTemplate",
            "useAutomaticInputType": 0,
        },
    }


def _shell_script_action(shell_command: str, key: str) -> dict[str, Any]:
    """Return the action. Its ids are derived from the verb's `key`, so that the same setup makes the same file."""
    parameters = {
        "COMMAND_STRING": shell_command,
        "CheckedForUserDefaultShell": True,
        "inputMethod": 1,  # as arguments; 0 is standard input, which splits names at line ends
        "shell": "/bin/zsh",
        "source": "",
    }
    string_list = {"Container": "List", "Types": ["com.apple.cocoa.string"]}
    ids = {
        name: str(uuid.uuid5(_UUID_NAMESPACE, f"{key} {name}")).upper() for name in ("InputUUID", "OutputUUID", "UUID")
    }
    return {
        "AMAccepts": {**string_list, "Optional": True},
        "AMActionVersion": "2.0.3",
        "AMApplication": ["Automator"],
        "AMParameterProperties": {name: {} for name in parameters},
        "AMProvides": string_list,
        "ActionBundlePath": _ACTION_BUNDLE,
        "ActionName": "Run Shell Script",
        "ActionParameters": parameters,
        "BundleIdentifier": "com.apple.RunShellScript",
        "CFBundleVersion": "2.0.3",
        "CanShowSelectedItemsWhenRun": False,
        "CanShowWhenRun": True,
        "Category": ["AMCategoryUtilities"],
        "Class Name": "RunShellScriptAction",
        **ids,
        "Keywords": ["Shell", "Script", "Command", "Run", "Unix"],
        "UnlocalizedApplications": ["Automator"],
        "arguments": {},
        "isViewVisible": 1,
        "location": "309.000000:253.000000",
        "nibPath": f"{_ACTION_BUNDLE}/Contents/Resources/Base.lproj/main.nib",
    }


FINDER = Target(
    key="finder",
    label="Finder",
    is_present=lambda _setup: True,
    artifacts=artifacts,
    hint=lambda _setup: (
        "If the entry is not below Quick Actions when you right-click a picture: choose Customize there (More on "
        "macOS 12 and older) and tick it. The same list is in System Settings, Privacy & Security, Extensions, Finder "
        "(macOS 13 and 14); General, Login Items & Extensions, Finder (macOS 15); System Preferences, Extensions, "
        "Finder (older)."
    ),
    refresh_commands=(("/System/Library/CoreServices/pbs", "-flush"),),
)
