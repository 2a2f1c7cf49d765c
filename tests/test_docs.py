"""The documents: the site builds and loads nothing from elsewhere, and what pages say of the code is so."""

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
from watcher.formats import FORMATS
from watcher.recipe import FIELDS

PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*PAGES, *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY"))]
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
"""Element -> the attribute that makes a browser load something."""


class LoadedAddresses(HTMLParser):
    """Collects the addresses that a browser loads by itself; links to click on are none."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
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
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.xdist_group("site")
def test_the_site_has_every_page(site: Path) -> None:
    assert {path.stem for path in PAGES} <= {path.stem for path in site.glob("*.html")}


@pytest.mark.xdist_group("site")
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        parser = LoadedAddresses()
        parser.feed(page.read_text())
        assert parser.addresses
        assert not [address for address in parser.addresses if re.match(r"(\w+:)?//", address)], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(\w+:)?//", style.read_text()), style


def test_the_readme_fits_on_a_few_screens_and_names_the_test_command_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 150
    assert "bash tests/run" in readme
    assert "bash tests/run" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    tops = "watcher|integrations|tests|benchmarks|assets|docs"
    for name in re.findall(rf"`((?:{tops})/[\w./-]+\.\w+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\((?!\w+:)([^)#\s]+)", text):
        assert (document.parent / name).exists(), name


@pytest.mark.parametrize("document", [*PAGES, ROOT / "README.md"], ids=lambda path: path.name)
def test_every_command_that_a_page_shows_is_one(document: Path) -> None:
    blocks = re.findall(r"^```\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("nobg ")]
    lines += re.findall(r"`(nobg (?!-add)[a-z][^`]*)`", document.read_text())
    parser = build_parser()
    for line in lines:
        command = re.split(r"\s{2,}| > | && ", line)[0]
        words = [word for word in shlex.split(command)[1:] if word != "…"]
        try:
            parser.parse_args(words)
        except SystemExit as end:
            incomplete = {("remove",), ("add",), ("watch",), ("menu",), ("models",), ("autostart",), ("models", "add")}
            assert end.code == 0 or tuple(words) in incomplete, (
                line
            )  # `nobg add` names the command, without its arguments


def test_the_page_on_formats_has_every_kind_of_picture() -> None:
    page = (ROOT / "docs" / "formats.md").read_text()
    for name, suffixes, _types, remark in FORMATS.values():
        assert f"| {name} | {' '.join(f'`{suffix}`' for suffix in suffixes)} | {remark} |\n" in page


def test_the_page_on_recipes_has_every_setting_in_order() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `(--[\w-]+)", page, re.MULTILINE)
    assert [name for name, _ in rows] == [field.name for field in FIELDS]
    assert [flag for _, flag in rows] == [f"--{field.name.replace('_', '-')}" for field in FIELDS]


def test_the_page_on_scripts_has_every_reason() -> None:
    page = (ROOT / "docs" / "scripts.md").read_text()
    rows = re.findall(r"^\| `(?:skipped|failed)` \| (.*) \|$", page, re.MULTILINE)
    assert {reason for row in rows for reason in re.findall(r"`(\w+)`", row)} == set(REASONS)
