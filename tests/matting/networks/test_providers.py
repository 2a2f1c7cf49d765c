"""providers.py and accelerator.py: an accelerator is used if it passes its trial, and otherwise the processor.

The accelerators here are stand-ins: onnxruntime's processor under another name, which fails on demand.
"""

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.conftest import ROOT
from tests.support.tiny_onnx import network
from watcher import paths
from watcher.errors import UsageError
from watcher.matting import fusion, models, modes
from watcher.matting.networks import accelerator, inference, providers
from watcher.matting.networks.providers import AvailableProvider, Provider
from watcher.queue.journal import Journal
from watcher.settings import config
from watcher.worker import dispatch, supervisor
from watcher.worker.supervisor import DriverError, Worker

SWIFT = Provider("swift", "SwiftExecutionProvider", {"speed": "9"})
TINY = replace(models.CATALOGUE[0], name="tiny", side=64)
MODE = modes.Mode(name="tiny", views=(modes.View(TINY, 64),), memory=0, good_for="")
DATA = {"tiny": network("ReduceMean", side="height")}

Alter = Callable[[Any], Any]


class Session:
    """A session on the processor. With `alter`, it claims to be on the accelerator, and `alter` changes its outputs."""

    def __init__(self, real: Any, alter: Alter | None) -> None:
        self.real, self.alter = real, alter

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def get_providers(self) -> list[str]:
        """As onnxruntime's session does."""
        return [*([] if self.alter is None else [SWIFT.execution_provider]), providers.CPU_EXECUTION_PROVIDER]

    def run(self, *arguments: Any) -> Any:
        """As onnxruntime's session does."""
        outputs = self.real.run(*arguments)
        if self.alter is None:
            time.sleep(0.02)  # the processor is slower
            return outputs
        return self.alter(outputs)


@pytest.fixture
def install_swift(monkeypatch: pytest.MonkeyPatch) -> Callable[[Alter | None], None]:
    """Return a function that puts an accelerator into onnxruntime, whose outputs go through its argument.

    With None, its session is silently on the processor, as if the driver were missing.
    """

    def install(alter: Alter | None) -> None:
        real = onnxruntime.InferenceSession

        def create(data: bytes, options: Any, providers: Any = (), **_more: Any) -> Session:
            is_swift = bool(providers) and providers[0] == (SWIFT.execution_provider, {"speed": "9"})
            return Session(real(data, options, providers=["CPUExecutionProvider"]), alter if is_swift else None)

        monkeypatch.setattr(onnxruntime, "InferenceSession", create)
        monkeypatch.setattr(
            onnxruntime, "get_available_providers", lambda: [SWIFT.execution_provider, providers.CPU_EXECUTION_PROVIDER]
        )
        monkeypatch.setattr(providers, "PROVIDERS", (SWIFT,))

    return install


def start(past_trials: dict[str, str] | None = None, requested: str = providers.AUTO) -> accelerator.StartResult:
    return accelerator.start(DATA, MODE, 1, requested, past_trials or {})


def fail(_outputs: Any) -> Any:
    raise RuntimeError("device lost")


def delay(outputs: Any) -> Any:
    time.sleep(0.05)
    return outputs


KEY = accelerator.trial_key(AvailableProvider(SWIFT), MODE)


def test_an_accelerator_with_the_same_results_in_less_time_is_used_and_remembered(
    install_swift: Callable[..., None],
) -> None:
    install_swift(lambda outputs: outputs)
    result = start()
    assert (result.name, result.notice, result.tried) == ("swift", None, {KEY: ""})
    assert result.ensemble is not None


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (None, "driver or libraries are missing"),
        (fail, "device lost"),
        (lambda outputs: [outputs[0] + np.float32(0.02)], r"differs from the processor's by 0.020"),
        (lambda outputs: [outputs[0] * np.float32(np.nan)], "not finite numbers"),
        (delay, "no faster"),
    ],
    ids=["silently the processor", "fails", "wrong", "not numbers", "slow"],
)
def test_any_other_accelerator_is_rejected_with_a_reason(
    alter: Alter | None, reason: str, install_swift: Callable[..., None]
) -> None:
    install_swift(alter)
    result = start()
    assert (result.name, result.ensemble) == ("cpu", None)
    assert result.notice is not None
    assert result.notice.startswith("nobg computes on the processor, not on swift: ")
    assert re.search(reason, result.notice)
    assert result.tried == {KEY: result.notice.split(": ", 1)[1].rstrip(".")}


def test_an_accelerator_that_takes_too_long_to_start_is_rejected(
    install_swift: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install_swift(lambda outputs: outputs)
    monkeypatch.setattr(accelerator, "MAX_START_SECONDS", 0.0)
    assert "to start" in str(start().notice)


def test_an_accelerator_that_passed_before_is_not_compared_again(install_swift: Callable[..., None]) -> None:
    install_swift(lambda outputs: [outputs[0] + np.float32(0.02)])
    assert start({KEY: ""}).name == "swift"


def test_an_accelerator_that_failed_before_is_tried_again_only_by_name(
    install_swift: Callable[..., None],
) -> None:
    install_swift(lambda outputs: outputs)
    assert start({KEY: "it was slow"}) == accelerator.StartResult()
    assert start({KEY: "it was slow"}, "swift").name == "swift"


def test_the_processor_can_be_requested_and_a_missing_accelerator_is_reported(
    install_swift: Callable[..., None],
) -> None:
    install_swift(lambda outputs: outputs)
    assert start(requested="cpu") == accelerator.StartResult()
    assert "finds nothing here for provider = 'qnn'" in str(start(requested="qnn").notice)


def test_a_plug_in_is_given_its_best_device_and_no_plain_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    def device(kind: str, name: str = "PlugExecutionProvider") -> Any:
        return SimpleNamespace(ep_name=name, device=SimpleNamespace(type=SimpleNamespace(name=kind)))

    plug = Provider("plug", "PlugExecutionProvider", plugin_module="json")  # any module that exists
    monkeypatch.setattr(providers, "PROVIDERS", (plug, replace(plug, plugin_module="no_such_module")))
    devices = [device("CPU"), device("GPU", "Other"), device("NPU"), device("GPU")]
    monkeypatch.setattr(onnxruntime, "get_ep_devices", lambda: devices)
    assert [available.devices for available in providers.find_available("auto")] == [(devices[3],)]
    del devices[2:]
    assert list(providers.find_available("auto")) == []


def test_outcomes_are_kept_and_what_failed_is_tried_again_after_a_week() -> None:
    now = 1e9
    assert providers.recall(now) == {}
    providers.remember({"a": "", "b": "slow"}, now)
    providers.remember({"c": "lost"}, now + 86400)
    assert providers.recall(now + 86400) == {"a": "", "b": "slow", "c": "lost"}
    assert providers.recall(now + 7 * 86400) == {"a": "", "c": "lost"}
    (paths.state_dir() / providers.TRIALS_FILE).write_text('{"a": 1}')
    assert providers.recall(now) == {}
    providers.forget()
    assert not (paths.state_dir() / providers.TRIALS_FILE).exists()


def test_the_worker_gets_what_is_requested_and_known_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert providers.environment("cpu", {"a": ""}) == {}
    monkeypatch.setenv("LD_LIBRARY_PATH", "/drivers")
    variables = providers.environment("auto", {"a": ""})
    assert set(variables) - {"CUDA_PATH"} == {"NOBG_PROVIDER", "NOBG_TRIED", "LD_LIBRARY_PATH"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert providers.read_environment() == ("auto", {"a": ""})


@pytest.mark.parametrize("name", providers.NAMES)
def test_the_setting_is_auto_the_processor_or_one_by_name(name: str) -> None:
    assert config.parse(f'provider = "{name}"', Path("c.toml")).provider == name


def test_an_unknown_provider_is_reported_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"c.toml, line 2, provider: it must be one of auto, cpu, cuda"):
        config.parse('\nprovider = "abacus"', Path("c.toml"))


def test_a_driver_that_crashes_the_worker_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys, os; from watcher.worker import protocol\n"
        "from watcher.matting.networks.providers import read_environment\n"
        "o = sys.stdout.buffer; requested, tried = read_environment()\n"
        "if requested == 'auto' and 'swift 1' not in tried:\n"
        " protocol.write_message(o, {'trying': 'swift 1'}); o.flush(); os.abort()\n"
        "protocol.write_message(o, {'ready': True, 'jail': []}); o.flush(); sys.stdin.read()\n"
    )
    monkeypatch.setattr(supervisor, "worker_command", lambda _mode: [sys.executable, "-P", "-c", script])
    with Worker(modes.DEFAULT, "auto") as worker, pytest.raises(DriverError) as caught:
        worker.wait_until_ready()
    assert caught.value.name == "swift"
    providers.forget()
    worker, header = supervisor.start_worker(modes.DEFAULT, "auto")
    worker.close()
    assert "swift: its driver crashes or hangs" in header["provider"]["told"]
    assert "crashes or hangs" in json.dumps(providers.recall(time.time()))


def test_after_a_death_on_an_accelerator_the_next_worker_uses_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[str] = []

    class FakeWorker:
        is_accelerated, has_died, has_ended = True, True, False

        def close(self) -> None:
            pass

    def start_worker(_mode: modes.Mode, provider: str, _stop: Any) -> Any:
        requested.append(provider)
        return FakeWorker(), {}

    monkeypatch.setattr(supervisor, "start_worker", start_worker)
    workers = supervisor.Supervisor()
    workers.ensure_worker()
    workers.stop_worker()
    workers.ensure_worker()
    assert requested == ["auto", "cpu"]


@pytest.mark.slow
def test_each_network_in_the_package_sees_the_sample() -> None:
    for mode in modes.MODES:
        ensemble = inference.load_ensemble(mode.read_models(), mode, threads=1)
        for view in mode.all_views:
            values = inference.infer_alpha(ensemble.networks[view.model.name], accelerator.sample_input(view))
            assert 0.25 < fusion.subject_area_fraction(values) < (0.6 if view.model.finds_people else 0.4)


@pytest.fixture
def swift_worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that gives all workers an accelerator of one kind; see tests/support/workers/swift.py."""
    script = str(ROOT / "tests" / "support" / "workers" / "swift.py")

    def install(kind: str) -> None:
        monkeypatch.setattr(supervisor, "worker_command", lambda mode: [sys.executable, "-P", script, kind, mode.name])

    return install


SAMPLE = (ROOT / "assets" / "samples" / "astronaut.jpg").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the other jails are not verified")
def test_with_an_accelerator_the_jail_has_all_its_walls(swift_worker: Callable[[str], None]) -> None:
    swift_worker("good")
    worker, ready = supervisor.start_worker(modes.FAST, "auto")
    with worker:
        assert ready["provider"]["name"] == "swift"
        assert worker.is_accelerated
        assert [layer["active"] for layer in ready["jail"]] == [True] * 3
        worker.send({"id": 0, "probe": True})
        assert set(worker.receive(60)[0]["refused"].values()) == {True}
        worker.send({"id": 1}, SAMPLE)
        assert worker.receive(60)[0]["state"] == "done"
    assert list(providers.recall(time.time()).values()) == [""]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the other jails are not verified")
def test_an_accelerator_that_opens_files_at_work_is_rejected_inside_the_jail(
    swift_worker: Callable[[str], None],
) -> None:
    swift_worker("files")
    worker, ready = supervisor.start_worker(modes.FAST, "auto")
    with worker:
        assert ready["provider"]["name"] == "cpu"
        assert "does not work in the jail" in ready["provider"]["told"]
        worker.send({"id": 1}, SAMPLE)
        assert worker.receive(60)[0]["state"] == "done"
    assert "jail" in next(iter(providers.recall(time.time()).values()))


@pytest.mark.slow
def test_an_accelerator_that_fails_at_work_loses_no_picture(
    swift_worker: Callable[[str], None], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    swift_worker("lost")
    source = folder / "a.jpg"
    source.write_bytes(SAMPLE)
    with contextlib.closing(Journal(paths.state_dir())) as journal:
        jobs = list(dispatch.run([source], journal, mode=modes.FAST))
    assert [(job.state, job.reason) for job in jobs] == [("done", None)]
    assert "died while it computed on an accelerator" in caplog.text
