"""process.py and pipeline.py: the worker's answers, and the limit of pixels in flight."""

import io
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT, SAMPLES
from tests.picture.samples import noise, saved
from watcher.errors import ModelError
from watcher.matting.memory import Budget
from watcher.worker import supervisor
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker

pytestmark = pytest.mark.slow


def test_pictures_come_back_in_order_and_a_bad_one_fails_alone(worker: Worker) -> None:
    good = (SAMPLES / "astronaut.jpg").read_bytes()
    for number, data in enumerate([good, b"", b"nonsense" * 100, good[:20_000], good]):
        worker.send({"id": number}, data)
    answers = [worker.receive(PICTURE_TIMEOUT_SECONDS) for _ in range(5)]
    assert [header["id"] for header, _ in answers] == [0, 1, 2, 3, 4]
    assert [header["state"] for header, _ in answers] == ["done", "failed", "failed", "failed", "done"]
    assert [header["reason"] for header, _ in answers] == [None, "unreadable", "unsupported", "truncated", None]
    assert answers[0][1] == answers[4][1]


def test_the_cut_out_keeps_the_person_and_drops_the_background(worker: Worker) -> None:
    worker.send({"id": 1}, (SAMPLES / "astronaut.jpg").read_bytes())
    header, png = worker.receive(PICTURE_TIMEOUT_SECONDS)
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (512, 512))
        alpha = np.asarray(image)[..., 3]
    assert header["verdict"] == "subject"
    assert 0 < header["doubt"] < 0.5
    assert alpha[60:150, 190:250].min() > 240  # the face
    assert alpha[10:150, 60:120].max() < 15  # the wall
    assert alpha[:, :40][:200].max() < 15  # the flag
    assert 0.35 < (alpha > 127).mean() < 0.65


def test_every_format_and_mode_passes_through_the_jailed_worker(fast_worker: Worker) -> None:
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        small = image.resize((128, 128))
    pictures = [saved(small, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")]
    pictures += [saved(small.convert(mode), "PNG") for mode in ("L", "LA", "P", "1", "RGBA")]
    pictures += [saved(small.convert("CMYK"), "JPEG"), saved(small.convert("CMYK"), "TIFF")]
    pictures += [saved(small, "TIFF", compression=name) for name in ("jpeg", "tiff_adobe_deflate", "group4")[:2]]
    pictures += [saved(Image.fromarray(np.asarray(small.convert("L"), np.uint16) * 257), "PNG")]
    for number, data in enumerate(pictures):
        fast_worker.send({"id": number, "force": True}, data)
    answers = [fast_worker.receive(PICTURE_TIMEOUT_SECONDS) for _ in pictures]
    assert [(header["id"], header["state"], header.get("detail")) for header, _ in answers] == [
        (number, "done", None) for number in range(len(pictures))
    ]
    assert all(png.startswith(b"\x89PNG") for _, png in answers)


def test_a_jpeg_without_its_last_rows_is_done_only_if_a_person_named_it(fast_worker: Worker) -> None:
    whole = (SAMPLES / "astronaut.jpg").read_bytes()
    for number, (data, is_named) in enumerate([(whole[:-40], True), (whole[:-40], False), (whole[:-2], False)]):
        fast_worker.send({"id": number, "named": is_named}, data)
    answers = [fast_worker.receive(PICTURE_TIMEOUT_SECONDS)[0] for _ in range(3)]
    assert [(header["state"], header["reason"]) for header in answers] == [
        ("done", None),
        ("failed", "truncated"),
        ("done", None),
    ]
    assert [answers[number]["notes"] for number in (0, 2)] == [["end_missing"], []]


def test_an_empty_mask_is_skipped_and_not_written_even_by_force(worker: Worker) -> None:
    blank = saved(Image.new("RGB", (64, 64), "white"), "PNG")
    for force in (False, True):
        worker.send({"id": 1, "force": force}, blank)
    answers = [worker.receive(PICTURE_TIMEOUT_SECONDS) for _ in range(2)]
    assert [(header["state"], header["reason"], output) for header, output in answers] == [
        ("skipped", "no_clear_subject", b"")
    ] * 2
    assert "detail" not in answers[0][0]
    assert answers[1][0]["detail"].startswith("nothing would be visible")


def test_the_worker_ends_when_its_input_is_closed() -> None:
    with Worker() as process:
        process.wait_until_ready()
        process.send({"id": 1}, saved(noise(), "PNG"))
        process._outgoing.put(None)
        process._threads[0].join()
        process._stdin.close()
        assert process._process.wait(timeout=60) == 0


def test_the_budget_admits_small_pictures_together_and_a_large_one_alone() -> None:
    budget = Budget(10)
    budget.acquire(6)
    budget.acquire(4)
    entered = threading.Event()

    def acquire_for_large_picture() -> None:
        budget.acquire(99)
        entered.set()

    threading.Thread(target=acquire_for_large_picture, daemon=True).start()
    time.sleep(0.05)
    budget.release(6)
    time.sleep(0.05)
    assert not entered.is_set()
    budget.release(4)
    assert entered.wait(10)


@pytest.mark.parametrize("amount", [1, 100])
def test_a_budget_that_is_released_is_free_again(amount: int) -> None:
    budget = Budget(10)
    for _ in range(5):
        budget.acquire(amount)
        budget.release(amount)
    assert budget._used == 0


def test_an_animation_that_claims_two_billion_frames_fails_at_once(worker: Worker) -> None:
    animation = saved(noise(64, 64), "PNG", save_all=True, append_images=[noise(64, 64).rotate(90)])
    position = animation.index(b"acTL")
    chunk = b"acTL" + struct.pack(">II", 0x7FFFFFFF, 0)
    hostile = animation[:position] + chunk + struct.pack(">I", zlib.crc32(chunk)) + animation[position + 16 :]
    good = (SAMPLES / "astronaut.jpg").read_bytes()
    for number, data in enumerate([hostile, good]):
        worker.send({"id": number}, data)
    answers = [worker.receive(PICTURE_TIMEOUT_SECONDS)[0] for _ in range(2)]
    assert [(answer["id"], answer["state"]) for answer in answers] == [(0, "failed"), (1, "done")]
    assert answers[0]["reason"] == "too_large"


def test_a_pictures_own_transparency_counts_for_the_crop_and_for_the_verdict(worker: Worker) -> None:
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        opaque = image.convert("RGBA")
    half_transparent = np.array(opaque)
    half_transparent[:, :260, 3] = 0
    transparent = opaque.copy()
    transparent.putalpha(0)
    worker.send({"id": 1, "recipe": '{"crop": "0"}'}, saved(Image.fromarray(half_transparent), "PNG"))
    worker.send({"id": 2}, saved(transparent, "PNG"))
    header, png = worker.receive(PICTURE_TIMEOUT_SECONDS)
    skipped, _ = worker.receive(PICTURE_TIMEOUT_SECONDS)
    with Image.open(io.BytesIO(png)) as image:
        assert image.width <= 252
    assert header["verdict"] == "subject"
    assert (skipped["state"], skipped["reason"]) == ("skipped", "no_clear_subject")


@pytest.mark.skipif(sys.platform != "linux", reason="the jails of other systems are not verified")
def test_a_hostile_model_is_loaded_in_the_whole_jail(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "tests" / "support" / "workers" / "hostile_model.py"
    monkeypatch.setattr(supervisor, "worker_command", lambda mode: [sys.executable, "-P", path, "worker", mode.name])
    with Worker() as process, pytest.raises(ModelError, match="The model could: nothing"):
        process.wait_until_ready()


def test_a_thread_that_fails_ends_the_worker_also_when_nobody_reads_its_log() -> None:
    code = (
        "import os; from watcher.worker import process\n"
        "read_end, write_end = os.pipe(); os.close(read_end); os.dup2(write_end, 2)\n"
        "process._start_thread(lambda: 1 / 0).join()\n"
        "os._exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
