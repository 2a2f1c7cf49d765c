"""The jail in a container whose own seccomp filter refuses the calls that it needs: what is left, and what it says."""

import errno
import json
import os
import platform
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT, Nobg
from tests.jail.test_enter import FORBIDDEN_ACTS
from tests.support import confined
from watcher.jail import syscalls

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in syscalls.ARCHITECTURES, reason="seccomp exists only on Linux"
)

NO_LANDLOCK = confined.rules(*confined.LANDLOCK, error="ENOSYS")
NO_SECCOMP = confined.rules("seccomp", error="EPERM")
FILES = {"read a file", "write a file"}
ENTER = """
import json, os
from watcher.jail import enter, linux
from watcher.jail.probe import probe
if os.getuid() == 0 and {ordinary}: os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)
layers = enter.enter_before_threads() + enter.enter_with_threads()
print(json.dumps([{{layer.name: layer.as_dict() for layer in layers}}, probe()]))
"""


def enter_jail(*rules: str, ordinary: bool = True) -> tuple[dict[str, Any], set[str]]:
    """Enter the jail under these rules. Return the layers by name, and which acts of the probe were refused."""
    command = [*confined.prefix(rules), sys.executable, "-c", ENTER.format(ordinary=ordinary)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    layers, probed = json.loads(done.stdout)
    return layers, {name for name, is_refused in probed.items() if is_refused}


@pytest.mark.parametrize("ordinary", [True, False], ids=["a person", "the container's root"])
def test_without_landlock_seccomp_refuses_everything_alone(ordinary: bool) -> None:
    layers, refused = enter_jail(*NO_LANDLOCK, ordinary=ordinary)
    assert not layers["files"]["active"]
    assert "or a container hides it" in layers["files"]["detail"]
    assert layers["network"]["active"]
    assert layers["memory"]["active"]
    assert refused == FORBIDDEN_ACTS


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("EPERM", "the system refuses it, as some containers do (Operation not permitted)"),
        ("EOPNOTSUPP", "it is switched off in this kernel"),
    ],
)
def test_landlocks_absence_has_its_true_reason(error: str, words: str) -> None:
    layers, _refused = enter_jail(*confined.rules(*confined.LANDLOCK, error=error))
    assert layers["files"] == {"name": "files", "active": False, "detail": f"Landlock: {words}"}


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_without_seccomp_landlock_refuses_files_alone(error: str) -> None:
    layers, refused = enter_jail(*confined.rules("seccomp", error=error))
    assert layers["network"]["detail"] == f"seccomp: {os.strerror(getattr(errno, error))}"
    assert not layers["network"]["active"]
    if layers["files"]["active"]:
        assert refused == FILES


def test_without_prctl_an_ordinary_user_has_no_layer_and_each_says_so() -> None:
    layers, refused = enter_jail("prctl=EPERM")
    assert {name for name, layer in layers.items() if layer["active"]} <= {"files", "network"}
    assert layers["memory"]["detail"].endswith(
        "not set: that it ends with nobg (Operation not permitted), no new privileges (Operation not permitted)"
    )
    assert "can read the worker's memory (Operation not permitted)" in layers["other programs"]["detail"]
    if not layers["network"]["active"]:  # if the tests run as an ordinary user, `confined` has forbidden privileges
        assert layers["network"]["detail"] == "seccomp: Permission denied"
        assert refused <= {"read a file"}  # Python itself may belong to root alone


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="the kernel exempts root alone")
def test_without_prctl_a_containers_root_still_has_landlock_and_seccomp() -> None:
    layers, refused = enter_jail("prctl=EPERM", ordinary=False)
    assert layers["network"]["active"]
    assert refused == FORBIDDEN_ACTS


def test_limits_that_are_refused_are_named_and_the_other_layers_stay() -> None:
    layers, refused = enter_jail("prlimit64=EPERM", "setrlimit=EPERM")
    assert not layers["memory"]["active"]
    for words in ("a limit of memory", "no core dump", "a limit of files", "a limit of threads"):
        assert words in layers["memory"]["detail"].partition("not set: ")[2]
    assert layers["network"]["active"]
    assert refused == FORBIDDEN_ACTS


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root can take /proc away")
@pytest.mark.skipif(not shutil.which("unshare"), reason="unshare(1) makes the view without /proc")
def test_without_proc_nobg_does_not_claim_what_it_cannot_see() -> None:
    hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
    command = [*hide, sys.executable, "-c", ENTER.format(ordinary=True)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    layers, probed = json.loads(done.stdout)
    assert "not set: a limit of memory (No such file or directory)" in layers["memory"]["detail"]
    assert layers["files"]["detail"] == "Landlock: without /proc, nobg cannot tell whether it would bind all threads"
    assert probed == dict.fromkeys(FORBIDDEN_ACTS, True)


@pytest.mark.slow
@pytest.mark.usefixtures("fast_model")
def test_where_a_container_refuses_everything_nobg_works_and_doctor_says_what_is_missing(nobg: Nobg) -> None:
    everything = [*NO_LANDLOCK, *NO_SECCOMP, "prctl=EPERM", "prlimit64=EPERM", "setpriority=EPERM", "unshare=EPERM"]
    result = nobg("doctor", "--json", prefix=confined.prefix(everything))
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.returncode == 0, result.stderr
    missing = {name for name, check in checks.items() if check["state"] == "warning"}
    assert missing == {
        *("Jail, memory", "Jail, files", "Jail, network", "Jail, other programs"),
        *(f"The worker cannot {act}" for act in FORBIDDEN_ACTS),
    }
    assert "cut out in" in checks["Sample picture"]["detail"]
