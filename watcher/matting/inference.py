"""Pixels -> alpha: the ONNX sessions, what goes in and out of them, and what becomes of several answers."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from watcher.errors import ModelError
from watcher.matting import providers
from watcher.matting.models import Model
from watcher.matting.modes import Mode, View

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """A loaded model: the onnxruntime session, the names of its input and of the output that counts, and its row."""

    session: Any
    input_name: str
    output_name: str
    dtype: type[np.floating[Any]]
    model: Model


@dataclass(frozen=True)
class Ensemble:
    """A loaded mode: its views, and the network of each model's name."""

    mode: Mode
    networks: Mapping[str, Network]


def load_ensemble(
    data: Mapping[str, bytes], mode: Mode, threads: int, provider: providers.AvailableProvider | None = None
) -> Ensemble:
    """The mode's networks from the bytes of its models by name, on the processor with `threads` threads, or on `on`.

    Raises ModelError.
    """
    networks = {}
    for model in mode.models:
        sides = {view.side for view in mode.views if view.model == model}
        fixed = sides.pop() if provider is not None and len(sides) == 1 else None
        networks[model.name] = load_network(data[model.name], model, threads, provider, fixed)
    return Ensemble(mode, networks)


def load_network(
    data: bytes,
    model: Model,
    threads: int,
    provider: providers.AvailableProvider | None = None,
    side: int | None = None,
) -> Network:
    """One network from its model's bytes. Raises ModelError.

    Ours take any side, and are not told which: each side would be a session of its own, and take 0.1 GB more. Only
    accelerators are told (`side`): some compile for one size, or take no other.
    """
    _register_shared_arena()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = (
        False  # planned memory comes on top of the arena's: 0.83 GB in place of 0.51, no faster
    )
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle worker uses no processor time
    options.add_session_config_entry("session.use_env_allocators", "1")
    if side is not None:
        options.add_free_dimension_override_by_name("height", side)  # our models'; others have no such names
        options.add_free_dimension_override_by_name("width", side)
    try:
        session = providers.create_session(data, options, provider)
    except providers.ProviderError:
        raise
    except Exception as error:  # onnxruntime's errors have no other base in common
        raise ModelError(f"The model {model.name} cannot be loaded ({first_line(error)}).") from error
    session._model_bytes = None  # noqa: SLF001  kept there for a fallback that we do not use: 44 MB for each network
    source = session.get_inputs()[0]
    dtype = np.float16 if source.type == "tensor(float16)" else np.float32
    # The side outputs that U-2-Net, IS-Net and BiRefNet have from their training come after the one that counts.
    return Network(session, source.name, session.get_outputs()[0].name, dtype, model)


@functools.cache
def _register_shared_arena() -> None:
    """One arena for all networks of the process: they work one after the other. Chunks as large as asked for."""
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    as_asked = {
        "max_mem": 0,
        "arena_extend_strategy": 1,
        "initial_chunk_size_bytes": -1,
        "max_dead_bytes_per_chunk": -1,
    }
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(as_asked))


def first_line(error: Exception) -> str:
    """What an error says, at most 200 characters of it."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def network_input(rgb: Image.Image, view: View) -> FloatArray:
    """The picture as a view sees it, squashed, bilinear: (1, 3, side, side) float32, (x / 255 - mean) / std."""
    model = view.model
    small = np.asarray(rgb.resize((view.side, view.side), Image.Resampling.BILINEAR))
    if view.mirrored:
        small = small[:, ::-1]
    planes = np.empty((1, 3, view.side, view.side), np.float32)
    for channel in range(3):
        scale = 1.0 / (255.0 * model.std[channel])
        np.multiply(small[..., channel], np.float32(scale), out=planes[0, channel])
        planes[0, channel] -= model.mean[channel] / model.std[channel]
    return planes


def infer_views(ensemble: Ensemble, inputs: Sequence[FloatArray]) -> list[FloatArray]:
    """The answer of each view to its input: (side, side) float32 in 0..1 as the picture lies. Raises ModelError."""
    answers = []
    for view, values in zip(ensemble.mode.views, inputs, strict=True):
        answer = infer_alpha(ensemble.networks[view.model.name], values)
        answers.append(answer[:, ::-1] if view.mirrored else answer)
    return answers


def infer_alpha(network: Network, values: FloatArray) -> FloatArray:
    """The network's answer: (side, side) float32 in 0..1, not stretched, so that little stays little.

    Raises ModelError where it is no mask: another shape, or values that are no numbers.
    """
    model, side = network.model, values.shape[-1]
    inputs = {network.input_name: values.astype(network.dtype, copy=False)}
    answer = np.asarray(network.session.run([network.output_name], inputs)[0])
    if answer.size != side**2 or answer.shape[-2:] != (side, side):
        raise ModelError(f"The model {model.name} answers {answer.shape}, which is no mask of side {side}.")
    mask: FloatArray = answer.reshape(side, side).astype(np.float32, copy=False)
    if model.outputs_logits:
        mask = _sigmoid(mask)
    if not np.isfinite(mask).all():
        raise ModelError(f"The model {model.name} answers values that are no numbers.")
    return mask


def _sigmoid(values: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), which is 0 also where exp is infinite."""
    with np.errstate(over="ignore"):
        result: FloatArray = np.reciprocal(1 + np.exp(-values))
    return result
