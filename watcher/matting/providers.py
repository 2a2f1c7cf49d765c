"""The accelerators that onnxruntime may compute on, which of them are here, and what is remembered of them.

A row is an execution provider that is built into some onnxruntime (the name is in `get_available_providers`), or one
that comes as a plug-in in a package of its own and is told of this machine's devices (`get_ep_devices`). The parent
process uses this module only to remember; onnxruntime is imported by the worker alone.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from watcher import paths

AUTO, CPU = "auto", "cpu"
CPU_EXECUTION_PROVIDER = "CPUExecutionProvider"
TRIALS_FILE = "providers.json"
_RETRY_AFTER_SECONDS = (
    7 * 86400.0
)  # seconds until what has failed is tried again: drivers and libraries are installed and updated


@dataclass(frozen=True)
class Provider:
    """One accelerator. `name`: in config.toml; `onnx`: as onnxruntime calls it; `options`: its, as it documents them.

    `plug_in`: the module that has it (None: it is built in); `kinds`: the devices that are worth it, best first.
    """

    name: str
    execution_provider: str
    options: Mapping[str, str] = field(default_factory=dict)
    plugin_module: str | None = None
    device_kinds: tuple[str, ...] = ("GPU", "NPU")


PROVIDERS: tuple[Provider, ...] = (
    Provider("cuda", "CUDAExecutionProvider"),
    Provider("directml", "DmlExecutionProvider"),  # wants no memory pattern and one node after the other: so do we
    Provider(
        "coreml",
        "CoreMLExecutionProvider",
        {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL", "RequireStaticInputShapes": "1"},
    ),
    Provider("openvino", "OpenVINOExecutionProvider", plugin_module="onnxruntime_ep_openvino"),
    Provider("qnn", "QNNExecutionProvider", {"backend_type": "htp"}, "onnxruntime_qnn", ("NPU",)),
)
"""In the order in which they are tried. A new one is a row here."""
NAMES = (AUTO, CPU, *(provider.name for provider in PROVIDERS))


class ProviderError(Exception):
    """The accelerator is of no use here; the message, which goes on from its name, says why."""


@dataclass(frozen=True)
class AvailableProvider:
    """A provider that is here; `devices`: onnxruntime's, of a plug-in."""

    provider: Provider
    devices: tuple[Any, ...] = ()


def find_available(requested: str) -> Iterator[AvailableProvider]:
    """The accelerators that are here, of those that are wanted: `auto`, `cpu` (none), or the name of one."""
    if requested == CPU:
        return
    for provider in PROVIDERS:
        if requested in (AUTO, provider.name) and (found := _find(provider)) is not None:
            yield found


def _find(provider: Provider) -> AvailableProvider | None:
    import importlib.util

    import onnxruntime

    if provider.plugin_module is None:
        return (
            AvailableProvider(provider)
            if provider.execution_provider in onnxruntime.get_available_providers()
            else None
        )
    if importlib.util.find_spec(provider.plugin_module) is None:
        return None
    with contextlib.suppress(Exception):  # made for another onnxruntime, or half installed: it is as good as not there
        library = importlib.import_module(provider.plugin_module).get_library_path()
        onnxruntime.register_execution_provider_library(provider.execution_provider, library)
    there = [device for device in onnxruntime.get_ep_devices() if device.ep_name == provider.execution_provider]
    for kind in provider.device_kinds:  # a plug-in offers the plain processor, too, which is no accelerator
        devices = [device for device in there if device.device.type.name == kind]
        if devices:
            return AvailableProvider(provider, (devices[0],))
    return None


def create_session(data: bytes, options: Any, found: AvailableProvider | None = None) -> Any:
    """A session of onnxruntime's from the model's bytes, on the processor or on what was found.

    Raises ProviderError where onnxruntime would quietly compute on the processor, and onnxruntime's own errors.
    """
    import onnxruntime

    if found is None:
        return onnxruntime.InferenceSession(data, options, providers=[CPU_EXECUTION_PROVIDER])
    provider = found.provider
    if found.devices:
        options.add_provider_for_devices(list(found.devices), dict(provider.options))
        made = onnxruntime.InferenceSession(data, options, enable_fallback=0)
    else:
        if provider.name == "cuda":
            onnxruntime.preload_dlls()  # those of NVIDIA's own Python packages, which no search path names
        wanted = [(provider.execution_provider, dict(provider.options)), CPU_EXECUTION_PROVIDER]
        made = onnxruntime.InferenceSession(data, options, providers=wanted, enable_fallback=0)
    if provider.execution_provider not in made.get_providers():
        raise ProviderError("it does not start: its driver or libraries are missing, or there is no such device")
    return made


_LIBRARY_PATH_VARIABLES = (
    "LD_LIBRARY_PATH",
    "CUDA_PATH",
)  # where drivers' libraries are looked for; the worker has no others


def environment(requested: str, tried: Mapping[str, str]) -> dict[str, str]:
    """How a worker is told what is wanted and known; the processor alone needs nothing of it."""
    if requested == CPU:
        return {}
    told = {"NOBG_PROVIDER": requested, "NOBG_TRIED": json.dumps(tried)}
    return told | {name: os.environ[name] for name in _LIBRARY_PATH_VARIABLES if name in os.environ}


def read_environment() -> tuple[str, dict[str, str]]:
    """In the worker: what `environment` says."""
    return os.environ.get("NOBG_PROVIDER", CPU), json.loads(os.environ.get("NOBG_TRIED", "{}"))


def recall(now: float) -> dict[str, str]:
    """What is known: what was tried -> what was against it (empty: nothing). `now`: seconds since 1970."""
    return {key: why for key, (why, _since) in _load_trials(now).items()}


def _load_trials(now: float) -> dict[str, tuple[str, float]]:
    """The same with the time at which it was learnt."""
    try:
        entries = json.loads((paths.state_dir() / TRIALS_FILE).read_text("utf-8")).items()
        return {
            key: (str(why), since)
            for key, (why, since) in entries
            if not why or 0 <= now - since < _RETRY_AFTER_SECONDS
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # not there, or damaged: it is tried again


def remember(tried: Mapping[str, str], now: float) -> None:
    """Add to what is known. A loss costs no more than another trial, so a place that is full is nobody's trouble."""
    known = _load_trials(now)
    new = {key: (why, now) for key, why in tried.items() if key not in known or known[key][0] != why}
    if not new:
        return
    import tempfile  # who only reads the settings, as the client does, must not wait for it

    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=paths.state_dir(), prefix=".providers-")
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(known | new, file)
        os.replace(name, paths.state_dir() / TRIALS_FILE)


def forget() -> None:
    """Whatever is wanted next is tried anew."""
    with contextlib.suppress(OSError):
        (paths.state_dir() / TRIALS_FILE).unlink(missing_ok=True)
