"""The history as one page of HTML: newest job first, before and after in one figure. The page loads only pictures."""

from __future__ import annotations

import base64
import hashlib
import html
import time
from collections.abc import Sequence
from pathlib import Path

from integrations.verbs import TOUCH_UP_LABEL
from watcher.errors import for_desktop, reason_text
from watcher.formats import is_shown_by_browsers
from watcher.program import review
from watcher.queue.job import Job

MAX_JOBS = 300
"""The largest number of jobs on the page: a browser becomes unusable with thousands of large photos."""

TOUCH_UP_HINT = f"To correct it: right-click the picture or the cut-out, “{TOUCH_UP_LABEL}”."
NO_SUBJECT_HINT = (
    f"To show nobg where the subject is: right-click the picture, “{TOUCH_UP_LABEL}”. "
    "Or click nobg's icon, Recent, the picture: “Show me where” or “Cut out anyway”."
)
"""What a person can do. By name: the page cannot start a program."""

STATE_LABELS = {"done": "done", "skipped": "nothing written", "failed": "failed", "active": "being done"}

_SCRIPT = """
for (const frame of document.querySelectorAll("figure:has(input)")) {
  const slider = frame.querySelector("input");
  const move = () => frame.style.setProperty("--cut", slider.value + "%");
  slider.addEventListener("input", move);
  move();
}
"""

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1.5rem; }
article { border: 1px solid #8884; border-radius: .5rem; overflow: hidden; }
article div { padding: .75rem 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0; }
p { margin: .25rem 0 0; }
.failed h2 span { color: #c62828; }
.skipped h2 span { color: #b26a00; }
h2 span { font-weight: normal; color: #2e7d32; }
small { color: GrayText; }
figure { --cut: 50%; position: relative; margin: 0; aspect-ratio: 4 / 3;
  background: repeating-conic-gradient(#bbb 0 25%, #eee 0 50%) 0 0 / 24px 24px; }
figure img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
figure .before { clip-path: inset(0 calc(100% - var(--cut)) 0 0); }
figure:has(input)::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--cut); width: 2px;
  margin-left: -1px; background: #fff; box-shadow: 0 0 3px #000; pointer-events: none; }
figure input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }
figure:focus-within { outline: 3px solid Highlight; outline-offset: -3px; }
"""


def render_page(jobs: Sequence[Job], older_count: int = 0) -> str:
    """Return the page for these jobs, newest first. `older_count`: the number of older jobs that are left out."""
    script = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src file:; style-src 'unsafe-inline'; script-src 'sha256-{script}'"
    articles = "\n".join(_render_article(job) for job in jobs) or "<p>Nothing has been done yet.</p>"
    older_note = f"<p>{older_count} older jobs are not shown.</p>" if older_count else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>nobg: what was done</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>What nobg did</h1>
<main>
{articles}
</main>
{older_note}
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _render_article(job: Job) -> str:
    name, folder = _escape(job.source.name), _escape(str(job.source.parent))
    state = "undone" if job.undone else STATE_LABELS[job.state]
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.changed_at))
    paragraphs = []
    if job.output is not None and job.state == "done" and not job.undone:
        paragraphs.append(f"&rarr; {_escape(job.output.name)}")
    if job.reason is not None:
        reason = for_desktop(reason_text(job.reason, job.detail or ""))
        paragraphs.append(_escape(_capitalize(reason)))
    if job.reason == "no_clear_subject":
        paragraphs.append(_escape(NO_SUBJECT_HINT))
    if remark := review.describe(job):
        hint = f" {TOUCH_UP_HINT}" if review.wants_a_look(job) else ""
        paragraphs.append(_escape(f"{_capitalize(remark)}.{hint}"))
    if job.moved_to is not None:
        paragraphs.append(f"The original is now {_escape(str(job.moved_to))}")
    details = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return (
        f'<article class="{job.state}">{_render_figure(job)}<div><h2>{name} <span>{state}</span></h2>{details}'
        f"<p><small>{job.id} &middot; {when} &middot; {folder}</small></p></div></article>"
    )


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def _render_figure(job: Job) -> str:
    """Return before and after with a slider between them, or as much of this as a browser can show."""
    if job.state != "done" or job.undone or job.output is None or not is_shown_by_browsers(job.output):
        return ""
    source, after = job.moved_to or job.source, _render_image(job.output, "after", "after")
    if not is_shown_by_browsers(source):
        return f"<figure>{after}</figure>"
    before = _render_image(source, "before", "before")
    name = _escape(job.source.name)
    slider = f'<input type="range" min="0" max="100" value="50" aria-label="Before and after: {name}">'
    return f"<figure>{after}{before}{slider}</figure>"


def _render_image(path: Path, css_class: str, alt_text: str) -> str:
    return f'<img class="{css_class}" src="{html.escape(path.as_uri())}" alt="{alt_text}" loading="lazy">'


def _escape(text: str) -> str:
    """Escape markup, and bytes of a file name that are not valid UTF-8."""
    return html.escape(text.encode("utf-8", "backslashreplace").decode())
