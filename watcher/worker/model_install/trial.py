"""A test run of a model that nobg does not know, in a jailed process of its own, on the sample picture.

`python -m watcher.worker.model_install.trial TEMPLATE < MODEL` prints one JSON object: `problem`, what is wrong with
the model, or null; and `memory`, the peak in bytes, or null. It installs nothing, so it leaves nothing to remove.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from watcher import paths
from watcher.errors import ModelError, UsageError
from watcher.jail.limited_pipe import LimitedPipe
from watcher.matting import looks, memory, models, modes
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, worker_environment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE = "samples/astronaut.jpg"
GRID_SIDE = 16
SAMPLE_SUBJECT_GRID = "000007800780078007000f001f803fc03fe07fe07fe07ffc7ffe7ffe7fff7fff"
"""Where the shipped model finds the sample's subject: GRID_SIDE x GRID_SIDE bits, row by row, as one number."""
MIN_IOU = 0.5
"""Minimum overlap (intersection over union) between the subject that a model finds and the expected one."""
_PICTURE_HEADROOM_BYTES = 200_000_000
"""Memory for pictures that are larger than the sample."""


def run(data: bytes, template: models.Model) -> int:
    """Try the model `data` with the input and output of `template`; return the bytes of memory that a worker needs.

    Raises UsageError if its output is not a plausible mask, ModelError if there is not enough memory to try it.
    """
    memory.check(template)
    problem, peak_bytes = _run_in_subprocess(data, template)
    if problem is not None:
        raise UsageError(
            f"This file does not work as {template.name} does: {problem} "
            "Try --recipe-from with the name of a model that is built like it; `nobg models list` shows them."
        )
    return peak_bytes + _PICTURE_HEADROOM_BYTES if peak_bytes else template.memory


def _run_in_subprocess(data: bytes, template: models.Model) -> tuple[str | None, int | None]:
    """Run `main` in a process of its own; return the problem and the peak of memory in bytes, each or None."""
    output = io.BytesIO()
    with paths.open_log("trial.log") as log, LimitedPipe(log) as log_pipe, LimitedPipe(output) as output_pipe:
        try:
            subprocess.run(
                [sys.executable, "-P", "-m", "watcher.worker.model_install.trial", template.name],
                input=data,
                stdout=output_pipe.write_end,
                stderr=log_pipe.write_end,
                env=worker_environment(),
                cwd=os.path.abspath(os.sep),
                creationflags=paths.NO_CONSOLE,
                timeout=PICTURE_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "it took too long.", None
    try:
        answer = json.loads(output.getvalue())
        problem, peak_bytes = answer["problem"], answer["memory"]
    except (ValueError, KeyError, TypeError):
        return f"the test run ended early; {paths.state_dir() / 'trial.log'} may say why.", None
    return None if problem is None else str(problem), peak_bytes if isinstance(peak_bytes, int) else None


def main() -> int:
    """Run the trial in this process, in the jail; print the result as JSON and return the exit code.

    The jail comes before the model, which may be hostile.
    """
    from watcher.jail import enter
    from watcher.matting.networks import inference
    from watcher.picture import codecs

    stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints must not write into the answer
    template = models.find_in_catalogue(sys.argv[1])
    data = sys.stdin.buffer.read()
    picture = paths.asset(SAMPLE).read_bytes()
    codecs.load_decoders()
    candidate = replace(template, name="in this file")
    enter.enter_before_threads(template.memory + 3 * len(data))  # the model may be larger than its template
    enter.enter_with_threads(template.memory + 3 * len(data))
    try:
        view = modes.View(candidate, candidate.side)
        network = inference.load_network(data, candidate, threads=os.cpu_count() or 1)
        del data
        rgb = codecs.decode(codecs.open_header(picture)).rgb
        look = looks.whole_look(view, rgb.size, square=True)
        problem = find_problem(inference.infer_alpha(network, inference.network_input(rgb, look)))
    except ModelError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001  onnxruntime's errors have no other base class; the model is the cause
        problem = f"{type(error).__name__}: {error}"[:200]
    json.dump({"problem": problem, "memory": memory.peak()}, stdout)
    stdout.flush()
    return 0


def find_problem(alpha: NDArray[np.float32]) -> str | None:
    """Return what is wrong with this alpha (H, W) of the sample, as the end of a sentence; None if it is good."""
    if alpha.min() < -0.01 or alpha.max() > 1.01:
        return f"its values go from {alpha.min():.2f} to {alpha.max():.2f}, but a mask's go from 0 to 1."
    actual, expected = subject_grid(alpha), int(SAMPLE_SUBJECT_GRID, 16)
    if actual == 0:
        return "it finds no subject in the sample picture."
    if actual == (1 << GRID_SIDE**2) - 1:
        return "it takes all of the sample picture for the subject."
    iou = (actual & expected).bit_count() / (actual | expected).bit_count()
    if iou < MIN_IOU:
        return f"in the sample picture, it finds another subject, not the one that nobg finds (overlap {iou:.0%})."
    return None


def subject_grid(alpha: NDArray[np.float32]) -> int:
    """Return which cells of a GRID_SIDE x GRID_SIDE grid are mostly subject: one bit each, row by row from the top."""
    import numpy as np
    from PIL import Image

    small = np.asarray(Image.fromarray(alpha).resize((GRID_SIDE, GRID_SIDE), Image.Resampling.BOX))
    return int("".join("1" if value >= 0.5 else "0" for value in small.ravel()), 2)


if __name__ == "__main__":
    sys.exit(main())
