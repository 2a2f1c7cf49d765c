"""Checks a person can read: does it work, and can nothing leave the machine?"""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import dataclass
from typing import Any

from watcher import commit, paths
from watcher.cli import menus
from watcher.cli import models as model_commands
from watcher.errors import ModelError, NobgError
from watcher.matting import memory, models, modes, providers
from watcher.worker import supervisor
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker, WorkerDiedError

MARKS = {"good": "[ok]", "warning": "[!!]", "bad": "[no]"}
SAMPLE = "samples/astronaut.jpg"


@dataclass(frozen=True)
class Check:
    """One answer. `state`: good; warning (it works, with less protection than it could have); bad (`exit_code` > 0)."""

    name: str
    state: str
    detail: str
    exit_code: int = 0

    def as_dict(self) -> dict[str, str]:
        """The answer as `--json` shows it."""
        return {"name": self.name, "state": self.state, "detail": self.detail}


def run_checks() -> list[Check]:
    """All checks, in the order in which one depends on another.

    Writes nothing but the worker's log, and what became of accelerators.
    """
    checks = [Check("Python", "good", f"{platform.python_version()} on {platform.platform()}"), _check_onnxruntime()]
    mode = modes.DEFAULT
    try:
        mode = modes.find(model_commands.current_model_name())
    except NobgError as error:
        checks.append(Check("Settings", "bad", str(error), error.exit_code))
    checks += [*_check_models(mode), _check_memory(mode)]
    try:
        providers.forget()  # a person who asks wants them to be tried again
        worker, ready = supervisor.start_worker(mode, supervisor.configured_provider())
        with worker:
            checks += _check_worker(worker, ready)
    except NobgError as error:
        checks.append(Check("Worker", "bad", str(error), error.exit_code))
    return [*checks, *_check_menus()]


def _check_menus() -> list[Check]:
    """The entries of file managers; what is wrong with them is in nobody's way."""
    try:
        return [Check(*line) for line in menus.checks()]
    except NobgError as error:
        return [Check("Menus", "warning", str(error))]


def _check_onnxruntime() -> Check:
    """Whichever package has it: those for accelerators have other names, and put their files in the same place."""
    packages = dict.fromkeys(importlib.metadata.packages_distributions().get("onnxruntime", []))
    if not packages:
        return Check("onnxruntime", "bad", "not installed. Install nobg again.", 3)
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    if len(packages) > 1:
        remedy = "They overwrite each other. Uninstall all of them, then install the one you want."
        return Check("onnxruntime", "warning", f"{versions}. {remedy}")
    return Check("onnxruntime", "good", versions)


def _check_models(mode: modes.Mode) -> list[Check]:
    """Those in use, then those that are installed, too: a damaged one of these is in nobody's way."""
    checks = []
    for model in dict.fromkeys((*mode.models, *models.installed())):
        used = model in mode.models
        try:
            models.read(model)
        except ModelError as error:
            state, code = ("bad", error.exit_code) if used else ("warning", 0)
            checks.append(Check(f"Model {model.name}", state, str(error), code))
        else:
            words = f"in use, SHA-256 {model.sha256}" if used else "installed, and undamaged"
            checks.append(Check(f"Model {model.name}", "good", words))
    return checks


def _check_memory(mode: modes.Mode) -> Check:
    try:
        memory.check(mode)
    except ModelError as error:
        return Check("Memory", "bad", str(error), error.exit_code)
    free = memory.available()
    there = (
        "and the system does not say how much is free" if free is None else f"{memory.format_gigabytes(free)} are free"
    )
    return Check("Memory", "good", f"{mode.name} takes {memory.format_gigabytes(mode.memory)}, {there}")


def _check_provider(provider: dict[str, Any]) -> Check:
    """The processor, or an accelerator; and why not the latter, if one is here."""
    name, told = provider.get("name", providers.CPU), provider.get("told")
    if told:
        return Check("Computes on", "warning", str(told))
    return Check(
        "Computes on", "good", "the processor" if name == providers.CPU else f"{name}, whose answer was checked"
    )


def _check_worker(worker: Worker, ready_message: dict[str, Any]) -> list[Check]:
    """What the running worker says of itself, what it was refused when it tried, and one picture through it."""
    off = bool(ready_message["telemetry_off"])
    checks = [
        Check("Telemetry of onnxruntime", "good" if off else "bad", "switched off" if off else "ON", 0 if off else 3)
    ]
    checks.append(_check_provider(ready_message.get("provider", {})))
    checks += [
        Check(f"Jail, {layer['name']}", "good" if layer["active"] else "warning", layer["detail"])
        for layer in ready_message["jail"]
    ]
    worker.send({"id": 0, "probe": True})
    worker.send({"id": 1, "force": True}, commit.read_source(paths.asset(SAMPLE)).data)
    try:
        probe, _ = worker.receive(PICTURE_TIMEOUT_SECONDS)
        answer, png = worker.receive(PICTURE_TIMEOUT_SECONDS)
    except WorkerDiedError as death:
        return [*checks, Check("Sample picture", "bad", f"the worker did not answer ({death.reason})", 3)]
    for act, refused in probe["refused"].items():
        words = "it tried, and was refused" if refused else "it tried, and the system let it"
        checks.append(Check(f"The worker cannot {act}", "good" if refused else "warning", words))
    if answer["state"] == "done":
        checks.append(Check("Sample picture", "good", f"cut out in {answer['seconds']:.1f} s, {len(png)} bytes"))
    else:
        checks.append(Check("Sample picture", "bad", f"{answer['state']}: {answer['reason']}", 3))
    return checks
