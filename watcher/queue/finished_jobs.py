"""Whether a job was done before: also repairs what a kill -9 or a power cut left between journal and file."""

from __future__ import annotations

import os
from dataclasses import replace

from watcher import commit
from watcher.queue.job import Job
from watcher.queue.journal import Journal


def find_done_job(job: Job, journal: Journal) -> Job | None:
    """Return the finished job with the source, content, recipe and model of `job`, if its output exists.

    The output counts even if a person has edited it. It does not count if nobg has since written other content to it.
    """
    earlier = journal.find(job.source, job.source_hash, job.recipe)
    if earlier is None or earlier.undone or earlier.output is None or not os.path.lexists(earlier.output):
        return None
    is_only_planned = earlier.state in ("active", "queued")
    # Another model: the person has chosen it, or it is the default of a newer nobg.
    if not is_only_planned and earlier.model != job.model:
        return None
    current_hash = commit.sha256_of(earlier.output)
    if current_hash != earlier.output_hash and (
        is_only_planned or (current_hash and journal.outputs.has_written_from_any_source(earlier.output, current_hash))
    ):
        # Either the output was planned but never published, or nobg has replaced it since: the source had other
        # content then, or another source took the name.
        return None
    return replace(earlier, state="done")  # the power may have failed between publishing and recording
