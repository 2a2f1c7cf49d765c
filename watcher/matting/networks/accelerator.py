"""The trial of accelerators: load a mode on one, if it gives the processor's results in less time.

This happens before the jail, because a provider opens libraries and devices when its session is created and when it
first runs. It uses no picture of the person.
"""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnxruntime
from PIL import Image

from watcher import paths
from watcher.matting import looks
from watcher.matting.modes import Mode, View
from watcher.matting.networks import inference, providers
from watcher.matting.networks.providers import AvailableProvider, ProviderError

MAX_MEAN_DIFFERENCE = 0.01
"""The largest mean absolute difference of two alphas of the sample. Int8 kernels of two manufacturers: 0.0014."""
MAX_START_SECONDS = 10.0
"""The longest time until an accelerator is ready: the person waits for it at the first picture."""

_SAMPLE_SIDE = 256


@dataclass
class StartResult:
    """The outcome of `start`.

    `name`: what computes. `key`: the key of its trial. `ensemble`: the loaded mode, or None if the processor computes.
    `tried`: new outcomes, as `providers.remember` takes them. `notice`: what a person should know, or None.
    """

    name: str = providers.CPU
    key: str = ""
    ensemble: inference.Ensemble | None = None
    tried: dict[str, str] = field(default_factory=dict)
    notice: str | None = None

    def fall_back_to_cpu(self, reason: str) -> None:
        """Change the outcome: the processor computes, and `reason` is remembered against the accelerator."""
        self.tried[self.key] = reason
        self.notice = f"nobg computes on the processor, not on {self.name}: {reason}."
        self.name, self.ensemble = providers.CPU, None

    def as_dict(self) -> dict[str, object]:
        """Return the entry `provider` of the worker's first message."""
        return {"name": self.name, "tried": self.tried, "told": self.notice}


def start(
    data: Mapping[str, bytes],
    mode: Mode,
    threads: int,
    requested: str,
    past_trials: Mapping[str, str],
    *,
    on_try: Callable[[str], None] = lambda _key: None,
) -> StartResult:
    """Try the accelerators of this machine in turn until one passes. Raises nothing: the processor always remains.

    `data`: the bytes of the mode's models by name. `threads`: for the processor. `requested`: one of `providers.NAMES`.
    `past_trials`: what `providers.recall` returned. `on_try` is called with the key of each trial before it starts,
    since a driver may end the process.
    """
    result = StartResult()
    for available in providers.find_available(requested):
        key = trial_key(available, mode)
        if past_trials.get(key) and requested == providers.AUTO:  # it failed before, and the person was notified then
            continue
        result.name, result.key = available.provider.name, key
        on_try(key)
        try:
            result.ensemble = _load_verified(data, mode, threads, available, is_verified=past_trials.get(key) == "")
        except Exception as error:  # noqa: BLE001  errors of onnxruntime and of drivers have no common base
            result.fall_back_to_cpu(inference.first_line(error).rstrip("."))
        else:
            result.tried[key] = ""
            return result
        gc.collect()  # ends its session and threads before the process enters the jail
    if requested not in (providers.AUTO, providers.CPU) and result.notice is None:
        result.notice = f"nobg computes on the processor: onnxruntime finds nothing here for provider = {requested!r}."
    return result


def trial_key(available: AvailableProvider, mode: Mode) -> str:
    """Return the key of a trial: accelerator, version of onnxruntime, and a hash of the networks and their sides.

    These are what its outcome depends on, as far as nobg can tell.
    """
    views = "".join(f"{view.model.sha256} {view.side} " for view in mode.all_views)
    digest = hashlib.sha256(views.encode()).hexdigest()[:12]
    return f"{available.provider.name} {onnxruntime.__version__} {digest}"


def _load_verified(
    data: Mapping[str, bytes], mode: Mode, threads: int, available: AvailableProvider, *, is_verified: bool
) -> inference.Ensemble:
    """Load the mode on the accelerator and warm it up. Raises ProviderError if it fails the trial, and others.

    `is_verified`: an earlier trial compared it with the processor already.
    """
    start_time = time.perf_counter()
    accelerated = inference.load_ensemble(data, mode, threads, available)
    warm_up(accelerated)
    seconds = time.perf_counter() - start_time
    if seconds > MAX_START_SECONDS:
        raise ProviderError(f"it takes {seconds:.0f} s to start")
    if not is_verified:
        _verify_against_cpu(accelerated, inference.load_ensemble(data, mode, threads))
    return accelerated


def warm_up(ensemble: inference.Ensemble) -> None:
    """Run each network once at each of its sides. Raises onnxruntime's errors, and ModelError as `infer_alpha` does."""
    for view in _distinct_views(ensemble):
        inference.infer_alpha(ensemble.networks[view.model.name], sample_input(view))


def _distinct_views(ensemble: inference.Ensemble) -> list[View]:
    """Return each network at each of its sides, once."""
    return list(dict.fromkeys(View(view.model, view.side) for view in ensemble.mode.all_views))


def _verify_against_cpu(accelerated: inference.Ensemble, reference: inference.Ensemble) -> None:
    """Raise ProviderError if the warm accelerator's results differ from the processor's, or do not come sooner."""
    warm_up(reference)
    seconds = [0.0, 0.0]
    for view in _distinct_views(accelerated):
        name, values = view.model.name, sample_input(view)
        alphas = []
        for number, network in enumerate((accelerated.networks[name], reference.networks[name])):
            start_time = time.perf_counter()
            alphas.append(inference.infer_alpha(network, values))
            seconds[number] += time.perf_counter() - start_time
        difference = float(np.abs(alphas[0] - alphas[1]).mean())
        if difference > MAX_MEAN_DIFFERENCE:
            raise ProviderError(f"its result with {name} differs from the processor's by {difference:.3f}")
    if seconds[0] >= seconds[1]:
        raise ProviderError("it is no faster than the processor")


def sample_input(view: View) -> inference.FloatArray:
    """Return the network input of a view for the sample: a striped disc on a plain ground, or the package's astronaut.

    All networks in the package find the subject. The one for people answers nothing where there is nobody.
    """
    look = looks.whole_look(view, (1, 1))
    if view.model.finds_people:
        with Image.open(paths.asset("samples/astronaut.jpg")) as image:
            return inference.network_input(image.convert("RGB"), look)
    down, across = np.mgrid[0:_SAMPLE_SIDE, 0:_SAMPLE_SIDE].astype(np.float32) / _SAMPLE_SIDE - 0.5
    radius = np.hypot(across, 0.8 * down)
    inside = np.clip((0.28 - radius) * _SAMPLE_SIDE / 2 + 0.5, 0, 1)[..., None]
    disc = np.stack([0.8 - 0.6 * radius + 0.1 * np.sin(40 * across), 0.3 + 0.2 * across, 0.15 + 0 * radius], -1)
    ground = np.stack([0.55 + 0.2 * down, 0.6 + 0.2 * down, 0.65 + 0.1 * across], -1)
    picture = (255 * (inside * disc + (1 - inside) * ground)).astype(np.uint8)
    return inference.network_input(Image.fromarray(picture), look)
