"""toml_errors.py: config.toml's syntax errors in a person's words, always with file, line and the line's text."""

from pathlib import Path

import pytest

from watcher import config
from watcher.errors import UsageError

PATH = Path("/home/ada/.config/nobg/config.toml")


@pytest.mark.parametrize(
    ("text", "line", "shown", "says"),
    [
        ("recipe = white", 1, "recipe = white", 'text belongs in quotes: recipe = "white".'),
        ('# mine\nrecipe = "white', 2, 'recipe = "white', 'the closing quote is missing: recipe = "white".'),
        ("recipe = 'white\n", 1, "recipe = 'white", "the closing quote is missing: recipe = 'white'."),
        (
            '[[folders]]\npath = "/tmp/x\nrecursive = true\n',
            2,
            'path = "/tmp/x',
            'the closing quote is missing: path = "/tmp/x".',
        ),
        (
            '[[folders]]\npath = "C:\\Users\\ada"\n',
            2,
            'path = "C:\\Users\\ada"',
            "a path with backslashes belongs in single quotes: path = 'C:\\Users\\ada'.",
        ),
        (
            '[[folders]]\npath = "D:\\"\n',
            2,
            'path = "D:\\"',
            "a path with backslashes belongs in single quotes: path = 'D:\\'.",
        ),
        ("[[folders]]\npath = /home/ada", 2, "path = /home/ada", 'text belongs in quotes: path = "/home/ada".'),
        ('recipe = "a"\nrecipe = "b"', 2, 'recipe = "b"', "recipe is set twice; keep one of the two lines."),
        ("[recipes.a]\n[recipes.a]", 2, "[recipes.a]", "this heading stands twice; keep one of them."),
        ('recipe "white"', 1, 'recipe "white"', 'there is no = between name and value; write recipe = "white".'),
        ('recipe: "white"', 1, 'recipe: "white"', 'there is no = between name and value; write recipe = "white".'),
        ('recipe == "white"', 1, 'recipe == "white"', 'write only = between name and value: recipe = "white".'),
        ("notifications", 1, "notifications", "there is no = and no value after notifications"),
        ("recipe =", 1, "recipe =", "there is no value after the ="),
        ("notifications = True", 1, "notifications = True", "notifications = true."),
        ("notifications = FALSE # so", 1, "notifications = FALSE # so", "notifications = false."),
        ("notifications = no", 1, "notifications = no", "write true or false, in small letters and without quotes"),
        ("recipe = “white”", 1, "recipe = “white”", 'word processor; write straight ones: recipe = "white".'),
        ("recipe = ‘white’", 1, "recipe = ‘white’", "the quotes are those of a word processor"),  # noqa: RUF001
        ("[[folders]\npath = '/a'", 1, "[[folders]", "the brackets of this heading are not closed"),
        ("[recipes.shop\nmask = true", 1, "[recipes.shop", "the brackets of this heading are not closed"),
        ('recipe = "white" crop', 1, 'recipe = "white" crop', "there is something after the closing quote: crop."),
        ('my recipe = "x"', 1, 'my recipe = "x"', '"my recipe" cannot be the name of a setting'),
        ("[recipes.a]\nmax_side = 12px", 2, "max_side = 12px", 'text belongs in quotes: max_side = "12px".'),
        ('a = [1,\nrecipe = "x"', 1, "a = [1,", "the bracket is not closed"),
    ],
)  # fmt: skip
def test_a_syntax_error_is_said_in_a_persons_words(text: str, line: int, shown: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.parse(text, PATH)
    message = str(caught.value)
    assert message.startswith(f"{PATH}, line {line} ({shown}): ")
    assert says in message
    assert message.endswith(" Correct it there.")


def test_a_mistake_that_no_sentence_fits_still_has_file_line_and_text() -> None:
    with pytest.raises(UsageError, match=r"line 2 \(\?\?\?\): nobg cannot read this \("):
        config.parse('recipe = "white"\n???', PATH)


def test_backslashes_that_mean_other_characters_are_noticed() -> None:
    with pytest.raises(UsageError, match=r"line 2, path: a path with backslashes belongs in single quotes"):
        config.parse('[[folders]]\npath = "C:\\temp\\new"', PATH)
