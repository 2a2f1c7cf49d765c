"""`nobg doctor`: checks that nobg works and that nothing can leave the machine."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
from dataclasses import dataclass
from typing import Any

from watcher import commit, paths
from watcher.cli import menus, terminal
from watcher.cli import models as model_commands
from watcher.errors import ModelError, NobgError
from watcher.jail.probe import targets
from watcher.matting import memory, models, modes
from watcher.matting.networks import providers, runtime
from watcher.worker import supervisor
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker, WorkerDiedError

MARKS = {"good": "[ok]", "warning": "[!!]", "bad": "[no]"}
SAMPLE = "samples/astronaut.jpg"
_FORBIDDEN_BY_LAYERS = {"file": "files", "socket": "network", "program": "programs"}
"""The last word of what the worker tries -> the word in the names of the layers that forbid it."""


@dataclass(frozen=True)
class Check:
    """The result of one check.

    `state`: "good"; "warning", if nobg works but lacks something; or "bad", with an `exit_code` above 0.
    """

    name: str
    state: str
    detail: str
    exit_code: int = 0

    def as_dict(self) -> dict[str, str]:
        """Return the result as `--json` shows it."""
        return {"name": self.name, "state": self.state, "detail": self.detail}


def doctor(options: argparse.Namespace) -> int:
    """Run `nobg doctor`. Return the largest exit code of its checks."""
    checks = run_checks()
    if options.json:
        terminal.print_json({"checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:
            terminal.print_line(f"{MARKS[check.state]} {check.name}: {check.detail}")
    return max(check.exit_code for check in checks)


def run_checks() -> list[Check]:
    """Run all checks, each after those that it depends on.

    Writes nothing but the worker's log and the record of accelerators.
    """
    checks = [Check("Python", "good", f"{platform.python_version()} on {platform.platform()}"), _check_onnxruntime()]
    mode = modes.DEFAULT
    try:
        mode = modes.find(model_commands.current_model_name())
    except NobgError as error:
        checks.append(Check("Settings", "bad", str(error), error.exit_code))
    checks += [*_check_models(mode), _check_memory(mode)]
    try:
        providers.forget()  # so that the worker tries again the accelerators that failed before
        worker, ready = supervisor.start_worker(mode, supervisor.configured_provider())
        with worker:
            checks += _check_worker(worker, ready)
    except NobgError as error:
        checks.append(Check("Worker", "bad", str(error), error.exit_code))
    return [*checks, *_check_menus()]


def _check_menus() -> list[Check]:
    """Check the entries in file managers' menus. A problem there is only a warning: nobg works without them."""
    try:
        return [Check(*row) for row in menus.checks()]
    except NobgError as error:
        return [Check("Menus", "warning", str(error))]


def _check_onnxruntime() -> Check:
    """Check which package provides onnxruntime. The packages for accelerators install into the same folder."""
    packages = dict.fromkeys(importlib.metadata.packages_distributions().get("onnxruntime", []))
    if not packages:
        return Check("onnxruntime", "bad", runtime.why_missing() or "not installed. Install nobg again.", 3)
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    if len(packages) > 1:
        remedy = "They overwrite each other. Uninstall all of them, then install the one you want."
        return Check("onnxruntime", "warning", f"{versions}. {remedy}")
    return Check("onnxruntime", "good", versions)


def _check_models(mode: modes.Mode) -> list[Check]:
    """Check the models of the mode, then the other installed ones. Damage to one of the latter is a warning only."""
    checks = []
    for model in dict.fromkeys((*mode.models, *models.installed())):
        in_use = model in mode.models
        try:
            models.read(model)
        except ModelError as error:
            state, code = ("bad", error.exit_code) if in_use else ("warning", 0)
            checks.append(Check(f"Model {model.name}", state, str(error), code))
        else:
            detail = f"in use, SHA-256 {model.sha256}" if in_use else "installed, and undamaged"
            checks.append(Check(f"Model {model.name}", "good", detail))
    return checks


def _check_memory(mode: modes.Mode) -> Check:
    try:
        memory.check(mode)
    except ModelError as error:
        return Check("Memory", "bad", str(error), error.exit_code)
    free = memory.available()
    free_text = (
        "and the system does not say how much is free" if free is None else f"{memory.format_gigabytes(free)} are free"
    )
    return Check("Memory", "good", f"{mode.name} takes {memory.format_gigabytes(mode.memory)}, {free_text}")


def _check_provider(provider: dict[str, Any]) -> Check:
    """Report what the worker computes on: the processor or an accelerator, and why an accelerator is not used."""
    name, notice = provider.get("name", providers.CPU), provider.get("told")
    if notice:
        return Check("Computes on", "warning", str(notice))
    return Check(
        "Computes on", "good", "the processor" if name == providers.CPU else f"{name}, whose results were checked"
    )


def _check_worker(worker: Worker, ready_message: dict[str, Any]) -> list[Check]:
    """Check what the running worker reports, what the jail refuses it, and one picture that it cuts out."""
    telemetry_check = Check("Telemetry of onnxruntime", "good", "switched off")
    if not ready_message["telemetry_off"]:
        telemetry_check = Check("Telemetry of onnxruntime", "bad", "ON", 3)
    checks = [telemetry_check]
    checks.append(_check_provider(ready_message.get("provider", {})))
    checks += [
        Check(f"Jail, {layer['name']}", "good" if layer["active"] else "warning", layer["detail"])
        for layer in ready_message["jail"]
    ]
    try:
        worker.send({"id": 0, "probe": True, **targets(str(paths.state_dir() / "worker.log"))})
        worker.send({"id": 1, "force": True}, commit.read_source(paths.asset(SAMPLE)).data)
        probe, _ = worker.receive(PICTURE_TIMEOUT_SECONDS)
        answer, png = worker.receive(PICTURE_TIMEOUT_SECONDS)
    except WorkerDiedError as death:
        return [
            *checks,
            Check("Sample picture", "bad", f"the worker did not answer ({death.detail or death.reason})", 3),
        ]
    for action, refused in probe["refused"].items():
        detail = "it tried, and was refused" if refused else "it tried, and the system allowed it"
        if sys.platform == "win32":  # where more than one way of starting a worker is tried
            detail += _describe_means(action, ready_message["jail"], refused=refused)
        checks.append(Check(f"The worker cannot {action}", "good" if refused else "warning", detail))
    if answer["state"] == "done":
        checks.append(Check("Sample picture", "good", f"cut out in {answer['seconds']:.1f} s, {len(png)} bytes"))
    else:
        checks.append(Check("Sample picture", "bad", f"{answer['state']}: {answer['reason']}", 3))
    return checks


def _describe_means(action: str, layers: list[dict[str, Any]], *, refused: bool) -> str:
    """Return by what a promise is enforced: the active layers of the jail that forbid the action, as a sentence."""
    forbidden = _FORBIDDEN_BY_LAYERS[action.rsplit(maxsplit=1)[-1]]
    active = [layer for layer in layers if layer["active"] and forbidden in layer["name"]]
    means = " and ".join(layer["detail"].partition(":")[0] for layer in active)
    if refused:
        return f". Enforced by: {means}" if means else ". By what is not known: no layer of the jail is active for it"
    return f", although it has: {means}" if means else ". Nothing enforces it on this computer"
