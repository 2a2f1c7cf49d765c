"""Pixels -> alpha: the ONNX session and what goes in and out of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from watcher.models import Model


def load(data: bytes, model: Model, threads: int) -> Any:
    """An onnxruntime session for the model's bytes, on the processor, with `threads` threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = (
        False  # planned memory comes on top of the arena's: 0.83 GB in place of 0.51, no faster
    )
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle worker uses no processor time
    options.add_free_dimension_override_by_name("height", model.side)
    options.add_free_dimension_override_by_name("width", model.side)
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def network_input(rgb: Image.Image, model: Model) -> NDArray[np.float32]:
    """The picture squashed to the network's square, bilinear: (1, 3, side, side) float32, (x / 255 - mean) / std."""
    small = np.asarray(rgb.resize((model.side, model.side), Image.Resampling.BILINEAR))
    planes = np.empty((1, 3, model.side, model.side), np.float32)
    for channel in range(3):
        scale = 1.0 / (255.0 * model.std[channel])
        np.multiply(small[..., channel], np.float32(scale), out=planes[0, channel])
        planes[0, channel] -= model.mean[channel] / model.std[channel]
    return planes


def alpha(session: Any, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's answer as it is: (side, side) float32 in 0..1, not stretched, so that little stays little."""
    answer: NDArray[np.float32] = session.run(["output"], {"input": values})[0][0, 0]
    return answer


def subject_share(values: NDArray[np.float32]) -> float:
    """The share, 0..1, of the picture that is more subject than background: alpha (H, W) of at least 0.5."""
    return float(np.count_nonzero(values >= 0.5) / values.size)
