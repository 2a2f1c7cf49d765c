"""Loads a mode on an accelerator, if one is here that has proved itself against the processor.

All of this happens before the jail, since a provider opens libraries and devices when its session is made and when it
runs for the first time. No picture of anybody's is in it: the sample is drawn here.
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

from watcher.matting import inference, providers
from watcher.matting.modes import Mode, View
from watcher.matting.providers import AvailableProvider, ProviderError

MAX_MEAN_DIFFERENCE = 0.01
"""Mean absolute difference of two alphas of the sample; int8 kernels of two makers differ by 0.0014."""
MAX_START_SECONDS = 10.0
"""Seconds until an accelerator is ready: a person waits for that at the first picture."""

_SAMPLE_SIDE = 256


@dataclass
class StartResult:
    """How it went. `name`: what computes; `key`: what it is known by; `ensemble`: None: the processor is to do it.

    `tried`: new knowledge, as `providers.remember` takes it. `told`: what a person should know, or None.
    """

    name: str = providers.CPU
    key: str = ""
    ensemble: inference.Ensemble | None = None
    tried: dict[str, str] = field(default_factory=dict)
    notice: str | None = None

    def fall_back_to_cpu(self, reason: str) -> None:
        """The processor does it after all, also next time."""
        self.tried[self.key] = reason
        self.notice = f"nobg computes on the processor, not on {self.name}: {reason}."
        self.name, self.ensemble = providers.CPU, None

    def as_dict(self) -> dict[str, object]:
        """As it stands in the worker's first frame."""
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
    """Try what is wanted (one of providers.NAMES) and here, until one does. Raises nothing: the processor is left.

    `known`: what providers.recall said. `trying` is told what is tried, before it may take the process down with it.
    """
    begun = StartResult()
    for found in providers.find_available(requested):
        key = trial_key(found, mode)
        if past_trials.get(key) and requested == providers.AUTO:  # there is something against it, and that was said
            continue
        begun.name, begun.key = found.provider.name, key
        on_try(key)
        try:
            begun.ensemble = _load_verified(data, mode, threads, found, is_verified=past_trials.get(key) == "")
        except Exception as error:  # noqa: BLE001  onnxruntime's and the drivers' errors have no base in common
            begun.fall_back_to_cpu(inference.first_line(error).rstrip("."))
        else:
            begun.tried[key] = ""
            return begun
        gc.collect()  # its session and its threads are to be gone when the jail is entered
    if requested not in (providers.AUTO, providers.CPU) and begun.notice is None:
        begun.notice = f"nobg computes on the processor: onnxruntime finds nothing here for provider = {requested!r}."
    return begun


def trial_key(found: AvailableProvider, mode: Mode) -> str:
    """What a trial's outcome depends on, as far as can be told: accelerator, onnxruntime, networks and their sides."""
    views = "".join(f"{view.model.sha256} {view.side} " for view in mode.views)
    digest = hashlib.sha256(views.encode()).hexdigest()[:12]
    return f"{found.provider.name} {onnxruntime.__version__} {digest}"


def _load_verified(
    data: Mapping[str, bytes], mode: Mode, threads: int, found: AvailableProvider, *, is_verified: bool
) -> inference.Ensemble:
    """The mode on the accelerator, warmed up. Raises ProviderError and others where something is against that."""
    begin = time.perf_counter()
    fast = inference.load_ensemble(data, mode, threads, found)
    warm_up(fast)
    took = time.perf_counter() - begin
    if took > MAX_START_SECONDS:
        raise ProviderError(f"it takes {took:.0f} s to start")
    if not is_verified:
        _verify_against_cpu(fast, inference.load_ensemble(data, mode, threads))
    return fast


def warm_up(ensemble: inference.Ensemble) -> None:
    """Let each network answer once at each side. Raises onnxruntime's errors, and ModelError where it is no mask."""
    for view in _distinct_views(ensemble):
        inference.infer_alpha(ensemble.networks[view.model.name], sample_input(view))


def _distinct_views(ensemble: inference.Ensemble) -> list[View]:
    """Each network at each of its sides, once."""
    return list(dict.fromkeys(View(view.model, view.side) for view in ensemble.mode.views))


def _verify_against_cpu(accelerated: inference.Ensemble, reference: inference.Ensemble) -> None:
    """Raises ProviderError where the accelerator, which is warm, does not answer as the processor does, and sooner."""
    warm_up(reference)
    seconds = [0.0, 0.0]
    for view in _distinct_views(accelerated):
        name, values = view.model.name, sample_input(view)
        answers = []
        for number, one in enumerate((accelerated.networks[name], reference.networks[name])):
            begin = time.perf_counter()
            answers.append(inference.infer_alpha(one, values))
            seconds[number] += time.perf_counter() - begin
        difference = float(np.abs(answers[0] - answers[1]).mean())
        if difference > MAX_MEAN_DIFFERENCE:
            raise ProviderError(f"with {name} its answer is another than the processor's (by {difference:.3f})")
    if seconds[0] >= seconds[1]:
        raise ProviderError("it is no faster than the processor")


def sample_input(view: View) -> inference.FloatArray:
    """A striped disc on a plain ground, as the view sees it; all our networks take the disc for the subject."""
    down, across = np.mgrid[0:_SAMPLE_SIDE, 0:_SAMPLE_SIDE].astype(np.float32) / _SAMPLE_SIDE - 0.5
    radius = np.hypot(across, 0.8 * down)
    inside = np.clip((0.28 - radius) * _SAMPLE_SIDE / 2 + 0.5, 0, 1)[..., None]
    disc = np.stack([0.8 - 0.6 * radius + 0.1 * np.sin(40 * across), 0.3 + 0.2 * across, 0.15 + 0 * radius], -1)
    ground = np.stack([0.55 + 0.2 * down, 0.6 + 0.2 * down, 0.65 + 0.1 * across], -1)
    picture = (255 * (inside * disc + (1 - inside) * ground)).astype(np.uint8)
    return inference.network_input(Image.fromarray(picture), view)
