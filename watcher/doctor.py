"""Checks a person can read: does it work, and can nothing leave the machine?"""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import dataclass

from watcher import commit, memory, menu, model_commands, models, paths
from watcher.errors import ModelError, NobgError
from watcher.staff import PICTURE_TIME, Worker, WorkerDiedError

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


def examine() -> list[Check]:
    """All checks, in the order in which one depends on another. Writes nothing but the worker's log."""
    checks = [Check("Python", "good", f"{platform.python_version()} on {platform.platform()}"), _onnxruntime()]
    model = models.DEFAULT
    try:
        model = models.find(model_commands.in_use())
    except NobgError as error:
        checks.append(Check("Settings", "bad", str(error), error.exit_code))
    checks += [_model(model), *_other_models(model), _memory(model)]
    try:
        with Worker(model) as worker:
            checks += _worker(worker)
    except NobgError as error:
        checks.append(Check("Worker", "bad", str(error), error.exit_code))
    return [*checks, *_menus()]


def _menus() -> list[Check]:
    """The entries of file managers; what is wrong with them is in nobody's way."""
    try:
        return [Check(*line) for line in menu.checks()]
    except NobgError as error:
        return [Check("Menus", "warning", str(error))]


def _onnxruntime() -> Check:
    try:
        return Check("onnxruntime", "good", importlib.metadata.version("onnxruntime"))
    except importlib.metadata.PackageNotFoundError:
        return Check("onnxruntime", "bad", "not installed. Install nobg again.", 3)


def _model(model: models.Model) -> Check:
    """The model in use."""
    try:
        models.read(model)
    except ModelError as error:
        return Check("Model", "bad", str(error), error.exit_code)
    return Check("Model", "good", f"{model.name}, SHA-256 {model.sha256}")


def _other_models(used: models.Model) -> list[Check]:
    """Those that are installed, too: a damaged one is in nobody's way."""
    checks = []
    for model in models.installed():
        if model != used:
            try:
                models.read(model)
            except ModelError as error:
                checks.append(Check(f"Model {model.name}", "warning", str(error)))
            else:
                checks.append(Check(f"Model {model.name}", "good", "installed, and undamaged"))
    return checks


def _memory(model: models.Model) -> Check:
    try:
        memory.check(model)
    except ModelError as error:
        return Check("Memory", "bad", str(error), error.exit_code)
    free = memory.available()
    there = "and the system does not say how much is free" if free is None else f"{memory.gigabytes(free)} are free"
    return Check("Memory", "good", f"{model.name} takes {memory.gigabytes(model.memory)}, {there}")


def _worker(worker: Worker) -> list[Check]:
    """What the running worker says of itself, what it was refused when it tried, and one picture through it."""
    ready = worker.wait_until_ready()
    off = bool(ready["telemetry_off"])
    checks = [
        Check("Telemetry of onnxruntime", "good" if off else "bad", "switched off" if off else "ON", 0 if off else 3)
    ]
    checks += [
        Check(f"Jail, {layer['name']}", "good" if layer["active"] else "warning", layer["detail"])
        for layer in ready["jail"]
    ]
    worker.send({"id": 0, "probe": True})
    worker.send({"id": 1, "force": True}, commit.read_source(paths.asset(SAMPLE)).data)
    try:
        probe, _ = worker.receive(PICTURE_TIME)
        answer, png = worker.receive(PICTURE_TIME)
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
