"""The jail on Windows, as far as wine has it: what doctor says, and the calls that start the worker.

wine 8 has no AppContainer: userenv lacks the functions of profiles, and UpdateProcThreadAttribute refuses the attribute
(error 50). It keeps no entries of AppContainers in access control lists, accepts policies of a process without keeping
them, and does not enforce a Job Object's limit of processes. So nothing here shows that Windows refuses anything.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.wine_desktop import find_kit

pytestmark = pytest.mark.slow

PROMISES = ("read a file", "write a file", "open a network socket", "open a local socket", "start a program")

WITHOUT_APPCONTAINER = r"""
import ctypes, json, os, sys, tempfile, time
from watcher import paths
from watcher.jail.appcontainer import access, library, process, profile
from watcher.jail.probe import targets
from watcher.matting import modes
from watcher.worker import starter, supervisor

attributes_of = process.attributes_of
own_folder = os.path.join(tempfile.mkdtemp(), "nobg.worker", "AC")
os.makedirs(os.path.join(own_folder, "Temp"))
sid = ctypes.create_string_buffer(access.ALL_APPLICATION_PACKAGES, len(access.ALL_APPLICATION_PACKAGES))
library.PROTOTYPES = {
    name: {function: types for function, types in functions.items() if "Container" not in function}
    for name, functions in library.PROTOTYPES.items()
}
profile.make, profile.free = (lambda _: ctypes.addressof(sid)), (lambda *_: None)
profile.folder = lambda *_: own_folder
process.attributes_of = lambda handles, job, _sid: attributes_of(handles, job, None)

worker, ready = supervisor.start_worker(modes.find("fast"), "cpu")
told = {"contained": worker.is_contained, "problem": starter.container_problem(), "jail": ready["jail"]}
with worker:
    worker.send({"id": 0, "probe": True, **targets(str(paths.state_dir() / "worker.log"))})
    told["refused"] = worker.receive(supervisor.PICTURE_TIMEOUT_SECONDS)[0]["refused"]
    worker.send({"id": 1, "force": True}, paths.asset("samples/astronaut.jpg").read_bytes())
    answer, output = worker.receive(supervisor.PICTURE_TIMEOUT_SECONDS)
    told |= {"state": answer["state"], "is_png": output.startswith(b"\x89PNG")}
with open(os.path.join(paths.state_folder(), starter.RECORD_FILE_NAME), encoding="utf-8") as file:
    told["folders"] = json.load(file)["folders"]

child = process.start(
    library.load(), process.Program([sys.executable, "-c", "input()"], supervisor.worker_environment(), "C:\\"), None, 2
)
output = child.stdout
del child  # with the last handle of its Job Object, it ends; else, this reads for ever
told["after the job"] = output.read().decode()
print("TOLD", json.dumps(told))
"""


@pytest.fixture
def kit() -> Path:
    return find_kit()


def run(kit: Path, home: Path, *command: str) -> str:
    """Run Windows' Python and return what it prints."""
    environment = {"NOBG_HOME": f"Z:{home}".replace("/", "\\"), "PATH": "/usr/bin:/bin", "HOME": str(home)}
    result = subprocess.run(
        [kit / "python", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_doctor_says_of_each_promise_that_wine_does_not_enforce_it_and_why_there_is_no_appcontainer(
    kit: Path, home: Path
) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text('model = "fast"\n')  # the other modes start slowly under wine
    lines = run(kit, home, "-m", "watcher", "doctor").splitlines()
    said = dict(line.split(": ", 1) for line in lines if ": " in line)
    assert said.get("[!!] Jail, AppContainer", "").startswith("not used: "), lines
    assert said["[!!] Jail, network and files"].startswith("AppContainer: this worker is in none")
    assert said["[ok] Jail, programs and memory"] == "Job Object: no further program, bounded memory"
    for promise in PROMISES[:4]:
        assert said[f"[!!] The worker cannot {promise}"].endswith("Nothing enforces it on this computer")
    assert said["[!!] The worker cannot start a program"].endswith("although it has: Job Object")
    assert "cut out in" in said["[ok] Sample picture"]


def test_but_for_the_appcontainer_itself_the_calls_start_a_worker_that_works(
    kit: Path, home: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(WITHOUT_APPCONTAINER)
    line = next(line for line in run(kit, home, f"Z:{script}").splitlines() if line.startswith("TOLD "))
    told: dict[str, Any] = json.loads(line.removeprefix("TOLD "))
    assert (told["contained"], told["problem"]) == (True, "")
    assert (told["state"], told["is_png"]) == ("done", True)
    assert told["refused"] == dict.fromkeys(PROMISES, False)
    layers = {layer["name"]: layer["active"] for layer in told["jail"]}
    assert layers == {
        "network and files": False,
        "programs and memory": True,
        "programs": False,
    }  # found, not asked for
    assert told["folders"]
    assert told["after the job"] == ""
