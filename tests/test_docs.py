"""The documents: the site builds and loads nothing from elsewhere, and what pages say of the code is true."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import ROOT
from watcher.cli.parser import build_parser
from watcher.errors import REASONS

PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*PAGES, *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY"))]
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
"""Element -> the attribute that makes a browser load something."""


class LoadedAddresses(HTMLParser):
    """Collects the addresses that a browser loads with a page; links to click do not count."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by HTMLParser for each element."""
        values = dict(attrs)
        if tag == "link" and values.get("rel") in ("canonical", "next", "prev"):
            return
        self.addresses += [address for address in [values.get(LOADED.get(tag, ""))] if address]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_the_site_has_every_page(site: Path) -> None:
    assert {path.stem for path in PAGES} <= {path.stem for path in site.glob("*.html")}


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        parser = LoadedAddresses()
        parser.feed(page.read_text())
        assert parser.addresses
        assert not [address for address in parser.addresses if re.match(r"(\w+:)?//", address)], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(\w+:)?//", style.read_text()), style


def test_the_readme_fits_on_a_few_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_readme_runs_the_test_command_and_ci_does_too() -> None:
    assert "bash tests/run" in (ROOT / "README.md").read_text()
    assert "bash tests/run" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    tops = "watcher|integrations|tests|benchmarks|assets|docs"
    for name in re.findall(rf"`((?:{tops})/[\w./-]+\.\w+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\((?!\w+:)([^)#\s]+)", text):
        assert (document.parent / name).exists(), name


@pytest.mark.parametrize("document", [*PAGES, ROOT / "README.md"], ids=lambda path: path.name)
def test_every_command_that_a_page_shows_is_valid(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = document.read_text()
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown = [line for block in blocks for line in block.splitlines() if line.startswith("nobg ")]
    named = re.findall(r"`(nobg [a-z][^`]*)`", text)  # `nobg add` may appear without its arguments
    parser = build_parser()
    for line in [*shown, *named]:
        words = shlex.split(re.split(r"\s{2,}| > | && ", line)[0])[1:]
        try:
            parser.parse_args(words)
        except SystemExit:
            message = capsys.readouterr().err
            assert "arguments are required" in message, f"{line}: {message}"


def test_the_page_on_scripts_has_every_reason() -> None:
    page = (ROOT / "docs" / "scripts.md").read_text()
    rows = re.findall(r"^\| `(?:skipped|failed)` \| (.*) \|$", page, re.MULTILINE)
    assert {reason for row in rows for reason in re.findall(r"`(\w+)`", row)} == set(REASONS)
