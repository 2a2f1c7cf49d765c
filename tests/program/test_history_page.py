"""program/history_page.py: what a browser makes of the page."""

import base64
import hashlib
import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest

from watcher.errors import REASONS, for_desktop
from watcher.program.history_page import render_page
from watcher.queue.job import Job

PHOTO = Job(
    Path("/pictures/photo.jpg"), id=1, state="done", output=Path("/pictures/photo_nobg.png"), changed_at=1_000_000.0
)
MARKUP = "<img src=x onerror='alert(1)'>\"</h2><script>alert(2)</script>&amp;.jpg"
FAILED = replace(PHOTO, state="failed", output=None, reason="truncated")


class Browser(HTMLParser):
    """Collects a page's tags with their attributes' names, the URLs that it loads, its policy, script and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[str]]] = []
        self.urls: list[str] = []
        self.texts: list[str] = []
        self.policy = ""
        self.script = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect a tag."""
        values = dict(attrs)
        self.tags.append((tag, [name for name, _ in attrs]))
        self.urls += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""

    def handle_data(self, data: str) -> None:
        """Collect text, of a script or for people."""
        if self.tags and self.lasttag == "script" and self.cdata_elem:
            self.script += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All text that a person reads, and the style sheet."""
        return "".join(self.texts)

    def count(self, tag: str) -> int:
        """Return how many of these tags the page has."""
        return sum(name == tag for name, _ in self.tags)


def loaded_files(browser: Browser) -> list[bytes]:
    """Return the paths that the page loads its pictures from, and assert that it loads nothing else."""
    parts = [urlsplit(url) for url in browser.urls]
    assert {(part.scheme, part.netloc, part.query, part.fragment) for part in parts} <= {("file", "", "", "")}
    return [unquote_to_bytes(part.path) for part in parts]


@pytest.mark.parametrize(
    "changed",
    [
        {"source": Path("/pictures", MARKUP)},
        {"output": Path("/pictures", MARKUP)},
        {"moved_to": Path("/pictures", MARKUP)},
        {"state": "failed", "reason": "unreadable", "detail": f"{MARKUP}."},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_markup_in_names_stays_text(changed: dict[str, Any]) -> None:
    plain: dict[str, Any] = {name: "plain." if name == "detail" else Path("/pictures/plain.jpg") for name in changed}
    plain |= {name: value for name, value in changed.items() if name in ("state", "reason")}
    odd = Browser(render_page([replace(PHOTO, **changed)]))
    assert odd.tags == Browser(render_page([replace(PHOTO, **plain)])).tags
    assert MARKUP.rpartition("/")[2] in odd.text


@pytest.mark.parametrize(
    "name", [b"caf\xe9.jpg", b"a#b?c%20d&e.jpg", b"quote\"'.jpg", b"a\nb\xff.jpg", "ü☃.jpg".encode()]
)
def test_odd_names_are_shown_and_their_pictures_found(name: bytes) -> None:
    job = replace(PHOTO, source=Path(os.fsdecode(b"/p/" + name)), output=Path(os.fsdecode(b"/o/" + name)))
    browser = Browser(render_page([job]).encode().decode())
    assert sorted(loaded_files(browser)) == [b"/o/" + name, b"/p/" + name]
    assert job.source.name.encode(errors="backslashreplace").decode() in browser.text


def test_the_page_loads_nothing_but_the_pictures() -> None:
    text = render_page([PHOTO, FAILED, replace(PHOTO, moved_to=Path("/old/photo.jpg"))], older_count=5)
    assert sorted(loaded_files(Browser(text))) == [
        b"/old/photo.jpg",
        b"/pictures/photo.jpg",
        *[b"/pictures/photo_nobg.png"] * 2,
    ]
    for remote in ("http:", "https:", "url(", "@import", "//"):
        assert remote not in text.replace("file:///", "").lower()


def test_the_policy_allows_local_images_and_the_one_script() -> None:
    browser = Browser(render_page([PHOTO]))
    sha256 = base64.b64encode(hashlib.sha256(browser.script.encode()).digest()).decode()
    assert dict(part.split(maxsplit=1) for part in browser.policy.split(";")) == {
        "default-src": "'none'",
        "img-src": "file:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{sha256}'",
    }
    assert "slider" in browser.script
    assert browser.count("script") == 1


def test_the_policy_comes_before_everything_it_governs() -> None:
    text = render_page([PHOTO])
    assert text.index("Content-Security-Policy") < min(text.index(tag) for tag in ("<style", "<script", "<img"))


def test_no_attribute_is_code() -> None:
    """The policy would refuse it, and the slider would be dead."""
    assert not [name for _, names in Browser(render_page([PHOTO])).tags for name in names if name.startswith("on")]


def test_the_order_is_kept() -> None:
    names = ["newest", "newer", "old"]
    text = render_page([replace(PHOTO, source=Path(f"/pictures/{name}.jpg")) for name in names])
    assert [text.index(f"<h2>{name}.jpg") for name in names] == sorted(text.index(f"<h2>{name}.jpg") for name in names)


@pytest.mark.parametrize(
    ("job", "label", "reason"),
    [
        (replace(PHOTO, undone=True), "undone", ""),
        (FAILED, "failed", REASONS["truncated"]),
        (replace(FAILED, output=PHOTO.output), "failed", REASONS["truncated"]),
        (replace(FAILED, detail="The card was pulled out."), "failed", "The card was pulled out."),
        (replace(FAILED, detail="errno 5"), "failed", REASONS["truncated"]),
        (
            replace(FAILED, state="skipped", reason="no_clear_subject"),
            "nothing written",
            for_desktop(REASONS["no_clear_subject"]),
        ),
        (replace(PHOTO, state="active"), "being done", ""),
    ],
)
def test_a_job_without_an_output_has_text_and_no_pictures(job: Job, label: str, reason: str) -> None:
    browser = Browser(render_page([job]))
    assert browser.urls == []
    assert browser.count("figure") == 0
    assert label in browser.texts
    assert reason[1:] in browser.text  # the page capitalises its first letter
    assert "photo_nobg.png" not in browser.text


def test_a_finished_job_shows_its_output_and_where_the_original_went() -> None:
    browser = Browser(render_page([replace(PHOTO, moved_to=Path("/old/photo.jpg"))]))
    assert b"/pictures/photo.jpg" not in loaded_files(browser)
    assert "done" in browser.texts
    assert "→ photo_nobg.png" in browser.text
    assert "The original is now /old/photo.jpg" in browser.text


def test_the_page_has_the_given_jobs_and_says_how_many_are_left_out() -> None:
    browser = Browser(render_page([PHOTO] * 3, older_count=1234))
    assert browser.count("article") == 3
    assert "1234 older" in browser.text
    assert "older" not in Browser(render_page([PHOTO])).text


def test_an_empty_history_says_so() -> None:
    browser = Browser(render_page([]))
    assert browser.count("article") == 0
    assert "Nothing has been done yet." in browser.text


def test_a_picture_that_browsers_do_not_show_is_left_out_and_the_cut_out_is_shown_alone() -> None:
    browser = Browser(render_page([replace(PHOTO, source=Path("/pictures/photo.HEIC"))]))
    assert loaded_files(browser) == [b"/pictures/photo_nobg.png"]
    assert browser.count("input") == 0
    assert Browser(render_page([replace(PHOTO, output=Path("/pictures/photo_nobg.tif"))])).count("figure") == 0
