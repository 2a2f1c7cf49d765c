"""Pixels -> opinions: loading the networks as ONNX sessions, preparing their input, running them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from watcher.errors import ModelError
from watcher.matting.fusion import Opinion
from watcher.matting.looks import WHOLE, Look, closer_looks, cuts_the_subject, first_looks, opinions_of, whole_look
from watcher.matting.models import Model
from watcher.matting.modes import Mode
from watcher.matting.networks import providers

FloatArray = NDArray[np.float32]

_PERSON_OUTPUT = "person"  # the second output of a network for people


@dataclass(frozen=True)
class Network:
    """A loaded model: the onnxruntime session, the names of its input and first output, and the input's dtype."""

    session: Any
    input_name: str
    output_name: str
    dtype: type[np.floating[Any]]
    model: Model


@dataclass(frozen=True)
class Ensemble:
    """A loaded mode: its views, and the network of each model by the model's name.

    `is_accelerated`: the networks are on an accelerator, which compiles them for one size each.
    """

    mode: Mode
    networks: Mapping[str, Network]
    is_accelerated: bool = False


def load_ensemble(
    data: Mapping[str, bytes], mode: Mode, threads: int, provider: providers.AvailableProvider | None = None
) -> Ensemble:
    """Load the mode's networks from `data`, the bytes of its models by name. Raises ModelError.

    They run on the processor with `threads` threads or, if `provider` is not None, on that accelerator.
    """
    networks = {}
    for model in mode.models:
        sides = {view.side for view in mode.all_views if view.model == model}
        fixed_side = sides.pop() if provider is not None and len(sides) == 1 else None
        networks[model.name] = load_network(data[model.name], model, threads, provider, fixed_side)
    return Ensemble(mode, networks, is_accelerated=provider is not None)


def with_models(ensemble: Ensemble, data: Mapping[str, bytes], models: Sequence[Model], threads: int) -> Ensemble:
    """Return the ensemble with those of `models` that it lacks, on the processor. Raises ModelError."""
    added = {
        model.name: load_network(data[model.name], model, threads)
        for model in models
        if model.name not in ensemble.networks
    }
    return replace(ensemble, networks={**ensemble.networks, **added})


def load_network(
    data: bytes,
    model: Model,
    threads: int,
    provider: providers.AvailableProvider | None = None,
    side: int | None = None,
) -> Network:
    """Load one network from the bytes of its model. Raises ModelError, and ProviderError if the accelerator fails.

    `side` fixes the size of the input, which the networks in the package leave open. Only accelerators need it, because
    some compile for one size or accept no other. On the processor, a session without a fixed side serves all views; one
    session for each side would take 0.1 GB more.
    """
    _register_shared_arena()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False  # it adds planned memory to the arena's: 0.83 GB in place of 0.51, no faster
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle worker uses no processor time
    options.add_session_config_entry("session.use_env_allocators", "1")
    if side is not None:
        options.add_free_dimension_override_by_name("height", side)  # the names in the package's models
        options.add_free_dimension_override_by_name("width", side)
    try:
        session = providers.create_session(data, options, provider)
    except providers.ProviderError:
        raise
    except Exception as error:  # onnxruntime's errors have no narrower base in common
        if "alloc" in str(error):
            raise ModelError(
                f"There is not enough memory for the model {model.name} ({first_line(error)}). Close other programs."
            ) from error
        raise ModelError(f"The model {model.name} cannot be loaded ({first_line(error)}).") from error
    session._model_bytes = None  # noqa: SLF001  44 MB for each network, kept for a fallback that is off
    source = session.get_inputs()[0]
    dtype = np.float16 if source.type == "tensor(float16)" else np.float32
    # U2-Net, IS-Net and BiRefNet have side outputs from their training; these come after the alpha.
    return Network(session, source.name, session.get_outputs()[0].name, dtype, model)


@functools.cache
def _register_shared_arena() -> None:
    """Make all networks of the process share one arena, with chunks of exact size: they run one after the other."""
    memory_info = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    configuration = {
        "max_mem": 0,
        "arena_extend_strategy": 1,
        "initial_chunk_size_bytes": -1,
        "max_dead_bytes_per_chunk": -1,
    }
    onnxruntime.create_and_register_allocator(memory_info, onnxruntime.OrtArenaCfg(configuration))


def first_line(error: Exception) -> str:
    """Return the first line of the error's message, or its type if that is empty: at most 200 characters."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def network_input(rgb: Image.Image, look: Look) -> FloatArray:
    """Return the input of a look's network: (1, 3, height, width), float32, (x / 255 - mean) / std.

    What `rgb` of any size shows in the look's box is resized bilinearly.
    """
    model, (width, height) = look.view.model, look.size
    left, top, right, bottom = look.box
    box = (left * rgb.width, top * rgb.height, right * rgb.width, bottom * rgb.height)
    small = np.asarray(rgb.resize(look.size, Image.Resampling.BILINEAR, box=box))
    planes = np.empty((1, 3, height, width), np.float32)
    for channel in range(3):
        scale = 1.0 / (255.0 * model.std[channel])
        np.multiply(small[..., channel], np.float32(scale), out=planes[0, channel])
        planes[0, channel] -= model.mean[channel] / model.std[channel]
    return planes


def first_inputs(ensemble: Ensemble, rgb: Image.Image) -> list[FloatArray]:
    """Return the inputs of the looks that come first: see `network_input`."""
    looks = first_looks(ensemble.mode, rgb.size, square=ensemble.is_accelerated)
    return [network_input(rgb, look) for look in looks]


def infer(
    ensemble: Ensemble, rgb: Image.Image, inputs: Sequence[FloatArray] | None = None
) -> tuple[list[Opinion], float]:
    """Return each look's opinion on the picture, and the probability that there is a person. Raises ModelError.

    The opinions of the views that draw the outline come first. The probability is 0..1: that of the mode's network for
    people, and 0 if it has none. `inputs`: what `first_inputs` returned, if another thread has called it already.
    """
    mode, square = ensemble.mode, ensemble.is_accelerated
    first = first_looks(mode, rgb.size, square=square)
    inputs = first_inputs(ensemble, rgb) if inputs is None else inputs
    # Between the chunks of the small networks, the large one would find no room, and the arena would grow.
    options = _free_memory_afterwards() if mode.glances and not square else None
    glances, person = _run_looks(ensemble, first, inputs, options)
    looks = closer_looks(mode, opinions_of(first, glances, rgb.size), rgb.size, square=square)
    alphas, _ = _run_looks(ensemble, looks, [network_input(rgb, look) for look in looks])
    if WHOLE not in [look.box for look in looks] and any(map(cuts_the_subject, looks, alphas)):
        looks = [whole_look(look.view, rgb.size) for look in looks]
        alphas, _ = _run_looks(ensemble, looks, [network_input(rgb, look) for look in looks])
    return [*opinions_of(looks, alphas, rgb.size), *opinions_of(first, glances, rgb.size)], person


def _run_looks(
    ensemble: Ensemble, looks: Sequence[Look], inputs: Sequence[FloatArray], options: Any = None
) -> tuple[list[FloatArray], float]:
    """Return the alpha of each look, and the probability of a person. `options`: as `_run` takes them."""
    alphas, person = [], 0.0
    for look, values in zip(looks, inputs, strict=True):
        alpha, probability = _run(ensemble.networks[look.view.model.name], values, options)
        alphas.append(alpha)
        person = max(person, probability)
    return alphas, person


def _free_memory_afterwards() -> Any:
    """Return onnxruntime's options of a run after which the shared arena gives back the memory that is not in use."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def infer_alpha(network: Network, values: FloatArray) -> FloatArray:
    """Run the network on `values` (1, 3, height, width) and return its alpha: (height, width), float32 in 0..1.

    Alpha is not stretched to the full range, so that a faint output stays faint. Raises ModelError if the output has
    another shape, or values that are not finite.
    """
    return _run(network, values)[0]


def _run(network: Network, values: FloatArray, options: Any = None) -> tuple[FloatArray, float]:
    """Run the network. Returns what `infer_alpha` says, and the probability of a person: 0 if it outputs none.

    `options`: onnxruntime's RunOptions, or None.
    """
    model, shape = network.model, values.shape[-2:]
    names = [network.output_name, *([_PERSON_OUTPUT] if model.finds_people else [])]
    fed = {network.input_name: values.astype(network.dtype, copy=False)}
    output, *others = network.session.run(names, fed, options)
    if output.size != shape[0] * shape[1] or output.shape[-2:] != shape:
        raise ModelError(
            f"The model {model.name} returns an output of shape {output.shape}, not a mask of {shape[1]} x {shape[0]}."
        )
    alpha: FloatArray = output.reshape(shape).astype(np.float32, copy=False)
    if model.outputs_logits:
        alpha = _sigmoid(alpha)
    person = float(others[0].item()) if others else 0.0
    if not np.isfinite(alpha).all() or not np.isfinite(person):
        raise ModelError(f"The model {model.name} returns values that are not finite numbers.")
    return alpha, person


def _sigmoid(values: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)), without a warning where exp overflows: the result is 0 there."""
    with np.errstate(over="ignore"):
        result: FloatArray = np.reciprocal(1 + np.exp(-values))
    return result
