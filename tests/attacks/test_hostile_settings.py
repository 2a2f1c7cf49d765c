"""Settings and menus that were made to cost time: the cost is linear, and the error is the documented one."""

from __future__ import annotations

from pathlib import Path

import pytest

from integrations.artifact import IntegrationError
from integrations.linux.thunar import CustomActions
from tests.support.growth import assert_linear
from watcher.errors import UsageError
from watcher.settings import config

FILE = Path("/etc/nobg.toml")

NESTED = {
    "arrays": "a = " + 20_000 * "[",
    "arrays on lines of their own": "a = " + 20_000 * "[\n",
    "inline tables": "a = " + 20_000 * "{a = ",
    "parts of a key": 20_000 * "a." + "a = 1",
    "quoted parts of a key": 20_000 * '"a".' + "a = 1",
    "parts of a key in an inline table": "a = {" + 20_000 * "a ." + "a = 1}",
    "parts of a header": "[" + 20_000 * "a." + "a]",
}


def parse_wrong(text: str) -> str:
    """Parse settings that are wrong. Returns the error."""
    with pytest.raises(UsageError) as caught:
        config.parse(text, FILE)
    return str(caught.value)


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_nested_toml_is_refused_by_file_and_line(text: str) -> None:
    message = parse_wrong("\n" + text)
    assert message.startswith(f"{FILE}, line 2: ")
    assert message.endswith(". Correct it there.")


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_nested_toml_costs_linear_time(text: str) -> None:
    assert_linear(parse_wrong, lambda size: text[:size], 4000)


def test_deep_tables_with_many_lines_cost_linear_time() -> None:
    def settings(size: int) -> str:
        return "[" + size // 50 * "a." + "a]\n" + "".join(f"b{number} = 1\n" for number in range(size))

    assert_linear(parse_wrong, settings, 4000)


def test_many_folders_cost_linear_time() -> None:
    def settings(size: int) -> str:
        return "".join(f'[[folders]]\npath = "/{number}"\n' for number in range(size))

    assert_linear(lambda text: config.parse(text, FILE), settings, 500)


def test_lines_of_blanks_cost_linear_time_when_an_error_is_located() -> None:
    assert_linear(parse_wrong, lambda size: f"notifications = true\n{' ' * size}\ncolour = 1", 2000)


def test_periods_in_texts_and_comments_are_no_nesting() -> None:
    periods = "a." * 40
    folder, recipe = f'[[folders]]\npath = "/{periods}"', f'[recipes.x]\nlabel = """\n{periods}"""\nsuffix = \'_x\''
    text = f"# {periods}\n{folder}\n{recipe} # {periods}"
    assert config.parse(text, FILE).folders[0].path == Path(f"/{periods}")


@pytest.mark.parametrize("unclosed", ['"""\\"', "'''", '"', "'", "'\"", "\"'", '"\\', '"a" ', " (at ", "[", "é", "“"])
def test_texts_that_do_not_end_cost_linear_time(unclosed: str) -> None:
    assert_linear(parse_wrong, lambda size: "a = " + size * unclosed, 20_000)


ODD_ACTIONS = {
    "starts without ends": b"<action>",
    "ids without ends": b"<action><unique-id>nobg-x</unique-id>",
    "ids that do not end": b"<action><unique-id>nobg-",
    "blanks": b" ",
    "lines": b"\n",
    "nobg's": b" <action><unique-id>nobg-x</unique-id></action> \n",
}


@pytest.mark.parametrize("piece", ODD_ACTIONS.values(), ids=ODD_ACTIONS)
def test_odd_actions_of_thunar_cost_linear_time(piece: bytes) -> None:
    assert_linear(lambda data: CustomActions.strip(data, None), lambda size: size * piece, 2000)


@pytest.mark.parametrize("encoding", ["foo", "utf-7", "utf-32", "idna", "zlib"])
def test_an_encoding_that_python_does_not_know_is_not_thunars_format(encoding: str) -> None:
    artifact = CustomActions(Path("uca.xml"), b"<action><unique-id>nobg-x</unique-id></action>", ())
    content = f'<?xml version="1.0" encoding="{encoding}"?>\n<actions>\n</actions>\n'.encode()
    assert not artifact.is_merged(content)
    with pytest.raises(IntegrationError, match="not in Thunar's format"):
        artifact.insert(content)
