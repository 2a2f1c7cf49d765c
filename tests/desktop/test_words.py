"""No sentence on the desktop names a command: icon, menu, notifications, and what a click shows of any error.

The sentences are found in the source, so that a new one is judged, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import ROOT
from watcher.desktop import strings
from watcher.errors import DESTINATION_REASONS, NOTES, REASONS, NobgError, advise, for_desktop, for_terminal

COMMAND = re.compile(
    r"`|(?<![\w-])nobg-add\b"
    r"|(?<![\w'-])nobg (add|remove|run|watch|pause|resume|status|history|undo|retry|menu|autostart|models|doctor)\b"
    r"|(?<![\w-])--?[a-z][a-z-]+|(?<![\w-])-o\b"
    r"|\b(pip|pipx|sudo|chown|chmod|sysctl|systemctl)\b|\bexport [A-Z]|NOBG_HOME"
)

ONLY_IN_TERMINALS = {
    "watcher/cli": "the commands themselves",
    "watcher/worker/model_install/files.py": "only `nobg models add` reads files of models",
    "watcher/worker/model_install/packages.py": "only `nobg models add` reads packages",
    "watcher/worker/model_install/trial.py": "only `nobg models add` tries models",
    "watcher/jail": "names of system calls",
    "watcher/matting/cards.py": "only `nobg models list` shows them",
}
"""Where sentences reach nobody but a person who has typed a command -> why."""

NO_SENTENCES = {
    "USAGE": "what nobg-add prints if its arguments are wrong, which no menu does",
    "FORMATS": "the table of the documentation",
    "FIELDS": "help of the options",
    "command": "arguments of another program",
    "EXTENSION_TEMPLATE": "program text",
    "SCRIPT_TEMPLATE": "program text",
    "_SCRIPT": "program text",
    "_STYLE": "style sheet",
    "_GUARD": "shell commands; what they show, GONE_TEXT_THUNAR, is judged for itself",
    "_JOBS": "SQL",
    "_SCHEMA_ADDED_IN_4": "SQL",
}
"""Names to which such texts are assigned -> what they are."""


def sentences() -> Iterator[tuple[str, str]]:
    """Yield place and text of each string that may reach the desktop."""
    for path in sorted([*ROOT.glob("watcher/**/*.py"), *ROOT.glob("integrations/**/*.py")]):
        name = path.relative_to(ROOT).as_posix()
        if not any(name.startswith(place) for place in ONLY_IN_TERMINALS):
            yield from ((f"{name}:{line}", text) for line, text in strings_in(ast.parse(path.read_text())))


def strings_in(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of the strings below `node`, but for docstrings, `terminal=` and NO_SENTENCES."""
    if isinstance(node, ast.JoinedStr):
        yield node.lineno, "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    elif not is_left_out(node):
        values = terminal_values(node)
        for child in ast.iter_child_nodes(node):
            if child not in values:
                yield from strings_in(child)


def is_left_out(node: ast.AST) -> bool:
    """Return whether a node is a docstring, what a terminal shows, or assigned to one of NO_SENTENCES."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.FunctionDef) and node.name == "_hint":  # of a file manager: `nobg menu` alone prints it
        return True
    if isinstance(node, ast.keyword):
        return node.arg == "terminal"
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id in NO_SENTENCES for target in targets)


def terminal_values(node: ast.AST) -> list[ast.expr]:
    """Return the values of the key "terminal" in a dict: parts of `advise`, too."""
    pairs = zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
    return [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "terminal"]


def is_sentence(text: str) -> bool:
    """Return whether a person could read the text as a sentence: words with spaces between them."""
    return len(re.findall(r"[A-Za-z']{2,} ", text)) >= 2


def test_no_text_that_the_desktop_can_show_names_a_command() -> None:
    found = [(place, text) for place, text in sentences() if is_sentence(text)]
    assert len(found) > 150, "the search finds too little"
    assert [(place, text) for place, text in found if COMMAND.search(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "Try: nobg run",
        "`nobg history` shows what was done.",
        "it is a folder; --recursive looks deeper.",
        "Choose another folder with -o.",
        "To take it back, type: sudo chown -R ada /home/ada",
        "Install it with: pip install 'nobg-watcher[jxl]'.",
        "NOBG_HOME=DIR names another folder.",
    ],
)
def test_the_search_knows_a_command(text: str) -> None:
    assert COMMAND.search(text)


@pytest.mark.parametrize("text", ["Quit nobg, then forget once more.", "nobg is paused.", "nobg runs without one."])
def test_the_search_knows_what_is_no_command(text: str) -> None:
    assert COMMAND.search(text) is None


@pytest.mark.parametrize("texts", [REASONS, DESTINATION_REASONS, NOTES], ids=["reasons", "destinations", "notes"])
def test_reasons_and_notes_name_no_command_on_the_desktop(texts: dict[str, str]) -> None:
    shown = [for_desktop(text) for text in texts.values()]
    assert [text for text in shown if COMMAND.search(text) or not text.endswith(".")] == []


def test_the_desktops_own_texts_name_no_command() -> None:
    values = [value for name, value in vars(strings).items() if name.isupper()]
    texts = [text for value in values for text in (value if isinstance(value, tuple) else (value,))]
    assert [text for text in texts if isinstance(text, str) and COMMAND.search(text)] == []


def test_an_error_has_one_message_for_the_desktop_and_one_for_the_terminal() -> None:
    error = NobgError(advise("It failed.", desktop="Click here.", terminal="Type: nobg run"))
    assert (str(error), error.on_desktop) == ("It failed. Type: nobg run", "It failed. Click here.")
    plain = NobgError("It failed. Try again.")
    assert str(plain) == plain.on_desktop == "It failed. Try again."
    nested = f"the model x cannot be used: {error.text}"
    assert for_desktop(nested) == "the model x cannot be used: It failed. Click here."
    assert for_terminal(advise("It failed.", desktop="Click here.")) == "It failed. Click here."


def test_a_file_that_is_missing_from_the_list_would_be_noticed() -> None:
    assert all((Path(ROOT) / place).exists() for place in ONLY_IN_TERMINALS)
