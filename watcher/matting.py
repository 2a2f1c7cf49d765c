"""Pixels -> alpha: the ONNX session and what goes in and out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from watcher.errors import ModelError
from watcher.models import Model


@dataclass(frozen=True)
class Network:
    """A loaded model: the onnxruntime session, the names of its input and of the output that counts, and its row."""

    session: Any
    input: str
    output: str
    dtype: type[np.floating[Any]]
    model: Model


def load(data: bytes, model: Model, threads: int) -> Network:
    """The network from the model's bytes, on the processor, with `threads` threads. Raises ModelError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = (
        False  # planned memory comes on top of the arena's: 0.83 GB in place of 0.51, no faster
    )
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle worker uses no processor time
    options.add_free_dimension_override_by_name("height", model.side)  # our model's; others have no such names
    options.add_free_dimension_override_by_name("width", model.side)
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no other base in common
        raise ModelError(f"The model {model.name} cannot be loaded ({_first_line(error)}).") from error
    source = session.get_inputs()[0]
    dtype = np.float16 if source.type == "tensor(float16)" else np.float32
    # The side outputs that U-2-Net, IS-Net and BiRefNet have from their training come after the one that counts.
    return Network(session, source.name, session.get_outputs()[0].name, dtype, model)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def network_input(rgb: Image.Image, model: Model) -> NDArray[np.float32]:
    """The picture squashed to the network's square, bilinear: (1, 3, side, side) float32, (x / 255 - mean) / std."""
    small = np.asarray(rgb.resize((model.side, model.side), Image.Resampling.BILINEAR))
    planes = np.empty((1, 3, model.side, model.side), np.float32)
    for channel in range(3):
        scale = 1.0 / (255.0 * model.std[channel])
        np.multiply(small[..., channel], np.float32(scale), out=planes[0, channel])
        planes[0, channel] -= model.mean[channel] / model.std[channel]
    return planes


def alpha(network: Network, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's answer: (side, side) float32 in 0..1, not stretched, so that little stays little.

    Raises ModelError where it is no mask: another shape, or values that are no numbers.
    """
    model = network.model
    inputs = {network.input: values.astype(network.dtype, copy=False)}
    answer = np.asarray(network.session.run([network.output], inputs)[0])
    if answer.size != model.side**2 or answer.shape[-2:] != (model.side, model.side):
        raise ModelError(f"The model {model.name} answers {answer.shape}, which is no mask of side {model.side}.")
    mask: NDArray[np.float32] = answer.reshape(model.side, model.side).astype(np.float32, copy=False)
    if model.logits:
        mask = _sigmoid(mask)
    if not np.isfinite(mask).all():
        raise ModelError(f"The model {model.name} answers values that are no numbers.")
    return mask


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / (1 + exp(-x)), which is 0 also where exp is infinite."""
    with np.errstate(over="ignore"):
        result: NDArray[np.float32] = np.reciprocal(1 + np.exp(-values))
    return result


def subject_share(values: NDArray[np.float32]) -> float:
    """The share, 0..1, of the picture that is more subject than background: alpha (H, W) of at least 0.5."""
    return float(np.count_nonzero(values >= 0.5) / values.size)
