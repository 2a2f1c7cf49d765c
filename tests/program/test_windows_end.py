"""How Windows asks the program to end, over a stand-in for kernel32 and user32. tests/windows does it under wine."""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from tests.support.program import wait_for
from watcher.program import windows_end
from watcher.program.windows_end import EndRequests

WINDOW = 0x10001


class Call:
    """A function of a DLL as ctypes shows it: it can be called, and takes attributes."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> int:
        """Call the function."""
        return cast("int", self._function(*arguments))


class Windows:
    """kernel32 and user32 in one object. It has one window and one handler of console events at most."""

    def __init__(self, *, has_windows: bool = True) -> None:
        self.handlers: list[Any] = []
        self.procedure: Any = None
        self.is_shown = False
        self.messages: queue.Queue[tuple[int, int, int]] = queue.Queue()
        self.SetConsoleCtrlHandler = Call(self._set_handler)
        self.GetModuleHandleW = Call(lambda _name: 1)
        self.RegisterClassExW = Call(self._register)
        self.CreateWindowExW = Call(lambda *_arguments: self._create() if has_windows else 0)
        self.DefWindowProcW = Call(lambda *_arguments: 77)
        self.GetMessageW = Call(self._get)
        self.DispatchMessageW = Call(self._dispatch)
        self.PostMessageW = Call(lambda _window, *message: self.messages.put(message))
        self.DestroyWindow = Call(lambda window: self.procedure(window, windows_end.WM_DESTROY, 0, 0))
        self.PostQuitMessage = Call(lambda _code: self.messages.put((0, 0, 0)))

    def _set_handler(self, handler: Any, is_added: bool) -> int:
        (self.handlers.append if is_added else self.handlers.remove)(handler)
        return 1

    def _register(self, reference: Any) -> int:
        data = reference._obj
        assert data.cbSize == ctypes.sizeof(data)
        self.procedure = data.lpfnWndProc
        return 0xC001

    def _create(self) -> int:
        self.is_shown = True
        return WINDOW

    def _get(self, reference: Any, *_rest: Any) -> int:
        message = reference._obj
        message.message, message.wParam, message.lParam = self.messages.get(timeout=60)
        return int(message.message != 0)

    def _dispatch(self, reference: Any) -> int:
        return int(self.procedure(WINDOW, reference._obj.message, reference._obj.wParam, reference._obj.lParam))

    def send(self, message: int, first: int = 0) -> int:
        """Send a message to the window, as Windows does; return the answer."""
        return int(self.procedure(WINDOW, message, first, 0))


class Program:
    """A program whose block runs until `end`."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.stops: list[None] = []
        self.requests = EndRequests(lambda: self.stops.append(None), windows, windows)
        self.requests.__enter__()
        self.has_ended = False

    def end(self) -> None:
        """End the block, once."""
        if not self.has_ended:
            self.has_ended = True
            self.requests.__exit__()

    def answer_in_thread(self, ask: Callable[[], int]) -> tuple[threading.Thread, list[int]]:
        """Ask in a thread of Windows's own. Return the thread, and the list that the answer comes into."""
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(ask()))
        thread.start()
        return thread, answers


@pytest.fixture(autouse=True)
def _callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE, raising=False)


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program(Windows())
    yield program
    program.end()


@pytest.mark.parametrize("event", [windows_end.CTRL_C, windows_end.CTRL_BREAK])
def test_ctrl_c_and_ctrl_break_stop_the_program_and_are_answered_at_once(program: Program, event: int) -> None:
    assert program.windows.handlers[0](event)
    assert len(program.stops) == 1
    assert not program.has_ended


@pytest.mark.parametrize("event", [windows_end.CTRL_CLOSE, windows_end.CTRL_LOGOFF, windows_end.CTRL_SHUTDOWN])
def test_after_other_events_windows_ends_the_process_so_the_answer_waits_for_the_end(
    program: Program, event: int
) -> None:
    handler = program.windows.handlers[0]
    thread, answers = program.answer_in_thread(lambda: handler(event))
    wait_for(lambda: bool(program.stops))
    assert answers == []
    program.end()
    thread.join(60)
    assert answers == [1]


def test_at_log_off_nobg_agrees_and_goes_on_until_it_is_certain(program: Program) -> None:
    assert program.windows.send(windows_end.WM_QUERYENDSESSION) == 1
    assert program.windows.send(windows_end.WM_ENDSESSION, 0) == 0  # another program has refused
    assert program.stops == []


def test_at_the_end_of_the_session_the_answer_waits_for_the_end_of_the_work(program: Program) -> None:
    thread, answers = program.answer_in_thread(lambda: program.windows.send(windows_end.WM_ENDSESSION, 1))
    wait_for(lambda: bool(program.stops))
    assert answers == []
    program.end()
    thread.join(60)
    assert answers == [0]


def test_a_request_to_close_the_window_ends_the_program(program: Program) -> None:
    assert program.windows.send(windows_end.WM_CLOSE) == 0
    assert len(program.stops) == 1


def test_other_messages_are_left_to_windows(program: Program) -> None:
    assert program.windows.send(0x0400) == 77


def test_at_its_end_the_program_leaves_no_handler_and_no_thread() -> None:
    program = Program(Windows())
    assert program.windows.is_shown
    program.end()
    assert program.windows.handlers == []
    assert not program.requests._thread.is_alive()


def test_without_a_window_the_program_runs_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    program = Program(Windows(has_windows=False))
    assert program.windows.handlers[0](windows_end.CTRL_C)
    program.end()
    assert "Windows does not tell nobg when the session ends" in caplog.text
