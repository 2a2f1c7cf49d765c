"""Say in a person's words what is wrong with a line of config.toml that is not TOML. Pure functions."""

from __future__ import annotations

import re

_TYPOGRAPHIC_QUOTES = "“”„‟«»‘’‚‹›"  # noqa: RUF001  they look like straight ones; that is the point
_KEY = r"[A-Za-z0-9_-]+"


def describe(text: str, error_text: str) -> tuple[int, str]:
    """Return the number of the faulty line, from 1, and a sentence that says what is wrong with it and what is right.

    `text`: the file. `error_text`: what tomllib raised; it names the line, or the end of the document.
    """
    lines = text.split("\n")
    match = re.search(r"at line (\d+), column (\d+)", error_text)
    number = int(match[1]) if match else _last_line_with_text(lines)
    line = _without_comment(lines[number - 1]) if number <= len(lines) else ""
    sentence = _describe_line(line, error_text)
    if sentence is None and number > 1 and (opened := _last_line_with_text(lines[: number - 1])):
        earlier = _without_comment(lines[opened - 1])  # an array or a text that was opened above
        if _is_open(earlier):
            number, sentence = opened, _describe_line(earlier, "") or "the bracket or quote that it opens is not closed"
    if sentence is None:
        reason = re.sub(r" \(at .*\)$", "", error_text)
        sentence = f"nobg cannot read this ({reason[:1].lower()}{reason[1:]})"
    return number, sentence


def _describe_line(line: str, error_text: str) -> str | None:  # noqa: PLR0911  one return for each mistake
    """Return what is wrong with the line; None: nothing that this module knows."""
    key, separator, value = (part.strip() for part in line.partition("="))
    if line.startswith("["):
        is_closed = line.endswith("]]") if line.startswith("[[") else line.endswith("]")
        if not is_closed:
            return (
                "the brackets of this heading are not closed: [[folders]] has two on each side, [recipes.shop] has one"
            )
        return "this heading stands twice; keep one of them" if _is_duplicate(error_text) else None
    if any(quote in line for quote in _TYPOGRAPHIC_QUOTES):
        straight = re.sub(f"[{_TYPOGRAPHIC_QUOTES}]", '"', line)
        return f"the quotes are those of a word processor; write straight ones: {straight}"
    if _is_duplicate(error_text):
        return f"{key} is set twice; keep one of the two lines"
    if not separator:
        return _describe_line_without_equals_sign(line, error_text)
    if re.fullmatch(rf"{_KEY}|\"[^\"]*\"|'[^']*'", key.replace(".", "")) is None:
        return f'"{key}" cannot be the name of a setting; names are words such as recipe or move_originals'
    if value.startswith((":", "=")):
        return f"write only = between name and value: {key} = {_quoted(value.lstrip(':= '))}"
    return _describe_value(key, value)


def _describe_line_without_equals_sign(line: str, error_text: str) -> str | None:
    words = re.match(rf"({_KEY})\s*[: ]\s*(.+)", line)
    if words:
        return f"there is no = between name and value; write {words[1]} = {_quoted(words[2])}"
    is_word = re.fullmatch(_KEY, line)
    if is_word or "after a key" in error_text:
        return f"there is no = and no value after {line}; write, for example, {line} = true"
    return None


def _describe_value(key: str, value: str) -> str | None:  # noqa: PLR0911  one return for each mistake
    if not value:
        return f'there is no value after the =; write one in quotes, such as {key} = "white"'
    if value.lower() in ("true", "false", "yes", "no", "on", "off", "none"):
        is_yes = value.lower() in ("true", "yes", "on")
        return f"write true or false, in small letters and without quotes: {key} = {'true' if is_yes else 'false'}"
    if value[0] == '"' and "\\" in value:
        content = value[1:-1] if value.endswith('"') and len(value) > 1 else value[1:]
        return f"a path with backslashes belongs in single quotes: {key} = '{content}'"
    if value.startswith(('"""', "'''")):
        return f"the closing {value[:3]} is missing" if value.count(value[:3]) == 1 else None
    if value[0] in "\"'":
        quote = value[0]
        if len(value) == 1 or value.find(quote, 1) < 0:
            other = value[-1] if len(value) > 1 and value[-1] in "\"'" else ""
            content = value[1:-1] if other else value[1:]
            return f"the closing quote is missing: {key} = {quote}{content.rstrip()}{quote}"
        rest = value[value.find(quote, 1) + 1 :].strip()
        return f"there is something after the closing quote: {rest}" if rest else None
    if value[0] == "[":
        return None if value.endswith("]") else f"the bracket is not closed: {key} = {value}]"
    if re.fullmatch(r"[-+]?[0-9][0-9_.]*", value):
        return f"{value} is no number that TOML knows; text belongs in quotes: {key} = {_quoted(value)}"
    return f"text belongs in quotes: {key} = {_quoted(value)}"


def _is_duplicate(error_text: str) -> bool:
    phrases = ("overwrite a value", "declare", "mutate immutable", "replace a")
    return any(phrase in error_text.lower() for phrase in phrases)


def _quoted(value: str) -> str:
    content = value.strip().strip("\"'")
    return f"'{content}'" if "\\" in content or '"' in content else f'"{content}"'


def _is_open(line: str) -> bool:
    return line.count("[") > line.count("]") or line.count('"') % 2 == 1


def _last_line_with_text(lines: list[str]) -> int:
    return next((number for number in range(len(lines), 0, -1) if _without_comment(lines[number - 1])), 1)


def _without_comment(line: str) -> str:
    """Return the line without spaces around it and a comment that is in no quotes."""
    match = re.match(r"""([^"'#]|"(\\.|[^"\\])*"|'[^']*')*(?=#|$)""", line)
    return (match[0] if match and match.end() < len(line) else line).strip()
