"""`nobg doctor`, as a person runs it."""

import json
import sys

import pytest

from tests.conftest import Nobg
from watcher.cli import doctor
from watcher.jail import probe
from watcher.matting import models
from watcher.worker.supervisor import Worker

pytestmark = pytest.mark.slow


@pytest.mark.skipif(sys.platform != "linux", reason="the jails of other systems are not verified")
def test_on_this_machine_every_check_is_good_and_the_sample_is_cut_out(nobg: Nobg) -> None:
    result = nobg("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.returncode == 0
    assert {name for name, check in checks.items() if check["state"] != "good"} == set()
    for model in models.SHIPPED:
        assert checks[f"Model {model.name}"]["detail"] == f"in use, SHA-256 {model.sha256}"
    assert "cut out in" in checks["Sample picture"]["detail"]
    assert {"Jail, network", "Jail, files", "Jail, memory", "Telemetry of onnxruntime"} <= set(checks)


def test_each_check_is_one_line_with_a_mark(nobg: Nobg) -> None:
    lines = nobg("doctor").stdout.splitlines()
    assert len(lines) >= 10
    assert all(line.startswith("[") for line in lines)


def test_a_state_folder_that_cannot_be_used_is_reported(nobg: Nobg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOBG_HOME", "/dev/null/x")
    result = nobg("doctor")
    assert result.returncode == 4
    assert "[no] Worker: nobg keeps its records in" in result.stdout
    assert "Traceback" not in result.stderr


def test_a_missing_layer_is_a_warning_and_a_missing_model_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake_ready(_worker: Worker, _stop: object) -> dict[str, object]:
        return {"telemetry_off": False, "jail": [{"name": "files", "active": False, "detail": "this kernel has none"}]}

    monkeypatch.setattr(Worker, "wait_until_ready", fake_ready)
    monkeypatch.setattr(models, "path_of", lambda model: __import__("pathlib").Path("/nowhere") / model.file_name)
    monkeypatch.setattr(
        Worker, "receive", lambda _worker, _timeout: ({"refused": {}, "state": "failed", "reason": "x"}, b"")
    )
    checks = {check.name: check for check in doctor.run_checks()}
    assert (checks["Jail, files"].state, checks["Jail, files"].exit_code) == ("warning", 0)
    assert (checks["Model isnet-int8"].state, checks["Model isnet-int8"].exit_code) == ("bad", 3)
    assert (checks["Telemetry of onnxruntime"].state, checks["Telemetry of onnxruntime"].exit_code) == ("bad", 3)
    assert checks["Sample picture"].state == "bad"


LAYERS = [
    {"name": "network and files", "active": True, "detail": "AppContainer: no network"},
    {"name": "programs and memory", "active": True, "detail": "Job Object: no further program"},
    {"name": "programs", "active": True, "detail": "child-process policy: no further program"},
    {"name": "AppContainer", "active": False, "detail": "not used: x"},
]


@pytest.mark.parametrize(
    ("action", "layers", "refused", "text"),
    [
        ("read a file", LAYERS, True, ". Enforced by: AppContainer"),
        ("open a network socket", LAYERS, True, ". Enforced by: AppContainer"),
        ("open a local socket", LAYERS, True, ". Enforced by: AppContainer"),
        ("start a program", LAYERS, True, ". Enforced by: Job Object and child-process policy"),
        ("start a program", LAYERS, False, ", although it has: Job Object and child-process policy"),
        ("write a file", LAYERS[1:], False, ". Nothing enforces it on this computer"),
        ("write a file", LAYERS[1:], True, ". By what is not known: no layer of the jail is active for it"),
    ],
)
def test_on_windows_each_promise_says_by_what_it_is_enforced(
    action: str, layers: list[dict[str, object]], refused: bool, text: str
) -> None:
    assert doctor._describe_means(action, layers, refused=refused) == text


def test_each_act_of_the_probe_has_a_layer_that_forbids_it() -> None:
    assert {action.rsplit(maxsplit=1)[-1] for action in probe.probe()} == set(doctor._FORBIDDEN_BY_LAYERS)
