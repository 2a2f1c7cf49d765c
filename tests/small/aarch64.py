"""nobg on aarch64, emulated by qemu-user: `bash tests/run tests/small/aarch64.py` (half an hour).

The first run makes `.arm-root` (1.2 GB). A test of an hour on a real ARM machine would say more: here, nothing enforces
the jail, and nothing is said about speed.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT, SAMPLES
from tests.small import arm
from tests.support.program import Program, wait_for

pytestmark = pytest.mark.skipif(not arm.CAN_MAKE, reason="needs root, debootstrap, dpkg-deb, qemu-user and unshare")

UNIT_TESTS = [
    *("tests/jail/test_syscalls.py", "tests/jail/test_seccomp.py", "tests/test_naming.py", "tests/test_lock.py"),
    *("tests/queue/test_journal.py", "tests/queue/test_store.py", "tests/test_enqueue.py"),
]

STARTED_BY_A_SHELL = "tests/test_enqueue.py::test_a_picture_named_from_a_deleted_folder_is_not_there"
"""Here, a shell starts Python, and complains about the deleted folder as well."""


@pytest.fixture(scope="module", autouse=True)
def _emulator() -> None:
    arm.make()


def run(home: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run Python for aarch64 with these arguments."""
    command = [*arm.prefix(), str(arm.PYTHON), *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=arm.environment(home), capture_output=True, text=True, check=False, timeout=3600
    )


def small_photo(path: Path) -> Path:
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        image.resize((128, 128)).save(path, quality=95)
    return path


@pytest.mark.parametrize("path", UNIT_TESTS)
def test_client_queue_and_the_table_of_calls_pass_their_unit_tests(path: str, tmp_path: Path) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-m", "not slow", f"--deselect={STARTED_BY_A_SHELL}")
    done = run(tmp_path, "-m", "pytest", *options, path)
    print(done.stdout[-300:])
    assert done.returncode == 0, done.stdout[-5000:]


def test_the_worker_cuts_out_a_picture_of_128_x_128_as_on_this_machine(tmp_path: Path) -> None:
    here, there = (small_photo(tmp_path / f"{name}.jpg") for name in ("here", "there"))
    settings = ("remove", "--json", "--force", "--model", "fast")
    subprocess.run([sys.executable, "-m", "watcher", *settings, here], cwd=ROOT, check=True, capture_output=True)
    done = run(tmp_path / "home", "-m", "watcher", *settings, there)
    assert done.returncode == 0, done.stdout + done.stderr
    (job,) = json.loads(done.stdout)["jobs"]
    assert (job["state"], job["verdict"]) == ("done", "subject")
    with Image.open(tmp_path / "here_nobg.png") as ours, Image.open(tmp_path / "there_nobg.png") as theirs:
        pairs = zip(ours.getchannel("A").tobytes(), theirs.getchannel("A").tobytes(), strict=True)
        difference = sum(abs(one - other) for one, other in pairs) / (128 * 128)
    print(f"the alphas differ by {difference:.2f} of 255 on average")
    assert difference < 2


def test_a_click_reaches_the_resident_program(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text('model = "fast"\n')
    photo = small_photo(tmp_path / "photo.jpg")
    program = Program(home, tmp_path)
    command = [*arm.prefix(), str(arm.PYTHON), "-m", "watcher", "run", "--no-tray"]
    with subprocess.Popen(command, cwd=ROOT, env=arm.environment(home), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert b"nobg is running" in process.stdout.readline()
            done = run(home, "-c", "import sys; from watcher import enqueue; sys.exit(enqueue.main())", photo)
            assert done.returncode == 0, done.stderr
            wait_for(program.has_done(1), 1200)
        finally:
            process.terminate()
    assert (tmp_path / "photo_nobg.png").exists()


def test_doctor_says_that_nothing_enforces_the_jail_in_an_emulator(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text('model = "fast"\n')
    checks = {
        check["name"]: check
        for check in json.loads(run(tmp_path, "-m", "watcher", "doctor", "--json").stdout)["checks"]
    }
    assert "aarch64" in checks["Python"]["detail"]
    assert "cut out in" in checks["Sample picture"]["detail"]
    assert checks["Jail, network"]["state"] == "warning"
    assert checks["Jail, files"]["state"] == "warning"
