"""A test run of a model that nobg does not know, in a jailed process of its own, on the sample picture.

`python -m watcher.worker.trial RECIPE < MODEL` prints one JSON object: `problem`, what is wrong with the model (null:
nothing), and `memory`, the most it took. Nothing is installed for that, so there is nothing to take back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from watcher import paths
from watcher.errors import ModelError, UsageError
from watcher.matting import memory, models, modes
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, worker_environment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE = "samples/astronaut.jpg"
GRID_SIDE = 16
SAMPLE_SUBJECT_GRID = "000007800780078007000f001f803fc03fe07fe07fe07ffc7ffe7ffe7fff7fff"
"""Where the shipped model sees the sample's subject: CELLS x CELLS bits in rows from the top, as one number."""
MIN_IOU = 0.5
_PICTURE_HEADROOM_BYTES = 200_000_000  # bytes of memory for a picture larger than the sample


def run(data: bytes, template: models.Model) -> int:
    """Try the model out as if it were `recipe`; returns the bytes of memory that a worker with it takes.

    Raises UsageError when its answer is no sane mask, ModelError when there is not memory enough to try.
    """
    memory.check(template)
    problem, taken = _run_in_subprocess(data, template)
    if problem is not None:
        raise UsageError(
            f"This file does not work as {template.name} does: {problem} "
            "Try --recipe-from with the name of a model that is built like it; `nobg models list` shows them."
        )
    return taken + _PICTURE_HEADROOM_BYTES if taken else template.memory


def _run_in_subprocess(data: bytes, template: models.Model) -> tuple[str | None, int | None]:
    """What the other side says: the problem, or None, and the memory."""
    with paths.open_log("trial.log") as log:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "watcher.worker.trial", template.name],
                input=data,
                stdout=subprocess.PIPE,
                stderr=log,
                env=worker_environment(),
                cwd=os.path.abspath(os.sep),
                timeout=PICTURE_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "it took too long.", None
    try:
        answer = json.loads(done.stdout)
        problem, taken = answer["problem"], answer["memory"]
    except (ValueError, KeyError, TypeError):
        return f"the test run ended early; {paths.state_dir() / 'trial.log'} may say why.", None
    return None if problem is None else str(problem), taken if isinstance(taken, int) else None


def main() -> int:
    """The other side: jailed before the model is loaded, as the worker is."""
    from watcher.jail import enter
    from watcher.matting import inference
    from watcher.picture import codecs

    stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints must not write into the answer
    recipe = models.find_in_catalogue(sys.argv[1])
    data = sys.stdin.buffer.read()
    picture = paths.asset(SAMPLE).read_bytes()
    codecs.load_decoders()
    candidate = replace(recipe, name="in this file")
    enter.enter_before_threads(recipe.memory + 3 * len(data))  # it may be larger than the model it is like
    try:
        view = modes.View(candidate, candidate.side)
        network = inference.load_network(data, candidate, threads=os.cpu_count() or 1)
        del data
        enter.enter_with_threads(recipe.memory)
        rgb = codecs.decode(codecs.open_header(picture)).rgb
        problem = find_problem(inference.infer_alpha(network, inference.network_input(rgb, view)))
    except ModelError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001  onnxruntime's errors have no other base; one that a model causes is its problem
        problem = f"{type(error).__name__}: {error}"[:200]
    json.dump({"problem": problem, "memory": memory.peak()}, stdout)
    stdout.flush()
    return 0


def find_problem(alpha: NDArray[np.float32]) -> str | None:
    """What is wrong with this alpha (H, W) of the sample, in words; None: nothing."""
    if alpha.min() < -0.01 or alpha.max() > 1.01:
        return f"its values go from {alpha.min():.2f} to {alpha.max():.2f}, and a mask's from 0 to 1."
    seen, expected = subject_grid(alpha), int(SAMPLE_SUBJECT_GRID, 16)
    if seen == 0:
        return "it finds no subject in the sample picture."
    if seen == (1 << GRID_SIDE**2) - 1:
        return "it takes all of the sample picture for the subject."
    agreement = (seen & expected).bit_count() / (seen | expected).bit_count()
    if agreement < MIN_IOU:
        return f"in the sample picture it finds another subject than nobg itself (overlap {agreement:.0%})."
    return None


def subject_grid(alpha: NDArray[np.float32]) -> int:
    """Which cells of a CELLS x CELLS grid are subject for the most part: a bit for each, row by row."""
    import numpy as np
    from PIL import Image

    small = np.asarray(Image.fromarray(alpha).resize((GRID_SIDE, GRID_SIDE), Image.Resampling.BOX))
    return int("".join("1" if value >= 0.5 else "0" for value in small.ravel()), 2)


if __name__ == "__main__":
    sys.exit(main())
