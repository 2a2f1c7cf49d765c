"""The accelerators that onnxruntime can compute on, which of them this machine has, and the outcomes of past trials.

Some execution providers are built into onnxruntime and listed by `get_available_providers`. Others are plug-ins in
packages of their own, and `get_ep_devices` lists their devices. The parent process uses this module only for the
outcomes of trials; the worker alone imports onnxruntime.
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
_RETRY_AFTER_SECONDS = 7 * 86400.0  # until a failed accelerator is tried again: drivers may have been updated since


@dataclass(frozen=True)
class Provider:
    """One accelerator.

    `name`: that in config.toml. `execution_provider`: its name in onnxruntime. `options`: those that its documentation
    lists. `plugin_module`: the module of the plug-in (None: it is built in). `device_kinds`: the kinds of devices that
    are worth using, best first.
    """

    name: str
    execution_provider: str
    options: Mapping[str, str] = field(default_factory=dict)
    plugin_module: str | None = None
    device_kinds: tuple[str, ...] = ("GPU", "NPU")


PROVIDERS: tuple[Provider, ...] = (
    Provider("cuda", "CUDAExecutionProvider"),
    # DirectML requires sequential execution without memory patterns, which nobg uses anyway.
    Provider("directml", "DmlExecutionProvider"),
    Provider(
        "coreml",
        "CoreMLExecutionProvider",
        {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL", "RequireStaticInputShapes": "1"},
    ),
    Provider("openvino", "OpenVINOExecutionProvider", plugin_module="onnxruntime_ep_openvino"),
    Provider("qnn", "QNNExecutionProvider", {"backend_type": "htp"}, "onnxruntime_qnn", ("NPU",)),
)
"""In the order in which they are tried."""
NAMES = (AUTO, CPU, *(provider.name for provider in PROVIDERS))


class ProviderError(Exception):
    """The accelerator cannot be used; the message gives the reason and calls the accelerator "it"."""


@dataclass(frozen=True)
class AvailableProvider:
    """A provider that this machine has. `devices`: onnxruntime's device objects, if it is a plug-in."""

    provider: Provider
    devices: tuple[Any, ...] = ()


def find_available(requested: str) -> Iterator[AvailableProvider]:
    """Yield the accelerators of this machine that `requested` allows: `auto` all, `cpu` none, else the one named."""
    if requested == CPU:
        return
    for provider in PROVIDERS:
        if requested in (AUTO, provider.name) and (available := _find(provider)) is not None:
            yield available


def _find(provider: Provider) -> AvailableProvider | None:
    """Return the provider with its best device, or None if this machine does not have it."""
    import importlib.util

    import onnxruntime

    if provider.plugin_module is None:
        is_built_in = provider.execution_provider in onnxruntime.get_available_providers()
        return AvailableProvider(provider) if is_built_in else None
    if importlib.util.find_spec(provider.plugin_module) is None:
        return None
    with contextlib.suppress(Exception):  # built for another onnxruntime, or half installed: then it has no devices
        library = importlib.import_module(provider.plugin_module).get_library_path()
        onnxruntime.register_execution_provider_library(provider.execution_provider, library)
    own_devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == provider.execution_provider]
    for kind in provider.device_kinds:  # a plug-in also lists the plain processor, which is no accelerator
        devices = [device for device in own_devices if device.device.type.name == kind]
        if devices:
            return AvailableProvider(provider, (devices[0],))
    return None


def create_session(data: bytes, options: Any, available: AvailableProvider | None = None) -> Any:
    """Return an onnxruntime session for the model's bytes, on the accelerator or, if it is None, on the processor.

    Raises ProviderError if onnxruntime would silently compute on the processor instead, and onnxruntime's own errors.
    """
    import onnxruntime

    if available is None:
        return onnxruntime.InferenceSession(data, options, providers=[CPU_EXECUTION_PROVIDER])
    provider = available.provider
    if available.devices:
        options.add_provider_for_devices(list(available.devices), dict(provider.options))
        session = onnxruntime.InferenceSession(data, options, enable_fallback=0)
    else:
        if provider.name == "cuda":
            onnxruntime.preload_dlls()  # from NVIDIA's Python packages, which are on no search path
        requested_providers = [(provider.execution_provider, dict(provider.options)), CPU_EXECUTION_PROVIDER]
        session = onnxruntime.InferenceSession(data, options, providers=requested_providers, enable_fallback=0)
    if provider.execution_provider not in session.get_providers():
        raise ProviderError("it does not start: its driver or libraries are missing, or there is no such device")
    return session


_LIBRARY_PATH_VARIABLES = ("LD_LIBRARY_PATH", "CUDA_PATH")
"""Where drivers look for their libraries; the worker inherits no other variables of the person's."""


def environment(requested: str, tried: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that pass the requested provider and past outcomes to a worker; none for `cpu`."""
    if requested == CPU:
        return {}
    variables = {"NOBG_PROVIDER": requested, "NOBG_TRIED": json.dumps(tried)}
    return variables | {name: os.environ[name] for name in _LIBRARY_PATH_VARIABLES if name in os.environ}


def read_environment() -> tuple[str, dict[str, str]]:
    """Return, in the worker, the arguments that `environment` was called with."""
    return os.environ.get("NOBG_PROVIDER", CPU), json.loads(os.environ.get("NOBG_TRIED", "{}"))


def recall(now: float) -> dict[str, str]:
    """Return the outcomes of past trials: key -> reason of failure, or "" if it passed. `now`: seconds since 1970."""
    return {key: reason for key, (reason, _since) in _load_trials(now).items()}


def _load_trials(now: float) -> dict[str, tuple[str, float]]:
    """Return what `recall` does, with the time of each trial; failures older than a week are left out."""
    try:
        entries = json.loads((paths.state_dir() / TRIALS_FILE).read_text("utf-8")).items()
        return {
            key: (str(reason), since)
            for key, (reason, since) in entries
            if not reason or 0 <= now - since < _RETRY_AFTER_SECONDS
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # missing or damaged: everything is tried again


def remember(tried: Mapping[str, str], now: float) -> None:
    """Add outcomes of trials to those on disk. An error is ignored: a lost outcome costs no more than another trial."""
    past = _load_trials(now)
    new = {key: (reason, now) for key, reason in tried.items() if key not in past or past[key][0] != reason}
    if not new:
        return
    import tempfile  # here, so that the client, which reads the settings through this module, starts sooner

    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=paths.state_dir(), prefix=".providers-")
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(past | new, file)
        os.replace(name, paths.state_dir() / TRIALS_FILE)


def forget() -> None:
    """Delete the outcomes of all trials, so that each accelerator is tried again."""
    with contextlib.suppress(OSError):
        (paths.state_dir() / TRIALS_FILE).unlink(missing_ok=True)
