"""What one user does with nobg: list pictures, then do those that she has in her queue.

`UID list click|watch|remove|name PATH OUTPUT [MOVE_TO]` notes what is to be done. `UID work OUTPUT` does it with the
stand-in worker, and prints each picture's state, reason and detail. `UID undo` takes all of it back.

Root starts it. Python may be in root's home, so all is rehearsed first, which imports every module and starts the
worker; then the process becomes the user.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.program import STAND_IN_WORKER
from watcher import commit, enqueue, paths
from watcher.folders.listing import Rules, list_folder
from watcher.folders.selection import find_pictures
from watcher.guard import links
from watcher.queue import store, undo
from watcher.queue.journal import Journal
from watcher.queue.journal_queue import JournalQueue
from watcher.recipe import Recipe
from watcher.worker import dispatch, supervisor


class LastingSupervisor(supervisor.Supervisor):
    """One worker for the rehearsal and the performance."""

    def stop_worker(self) -> None:
        """Leave it."""


worker_supervisor = LastingSupervisor()
setattr(supervisor, "worker_command", lambda _mode: [sys.executable, str(STAND_IN_WORKER), os.devnull])  # noqa: B010
setattr(dispatch, "Supervisor", lambda *_arguments, **_named: worker_supervisor)  # noqa: B010


def list_pictures(way: str, path: Path, output: str, move_to: str | None = None) -> str:
    """Find the pictures as a click, a watched folder or `nobg remove --recursive` does, and note them."""
    recipe = Recipe(output=Path(output) if output else None).key()
    request: dict[str, Any] = {"recipe": recipe, "subfolder": os.fsencode(output), "move_to": move_to or None}
    if way == "remove":
        found = find_pictures([path], recursive=True)
        (paths.state_dir() / "found.json").write_text(
            json.dumps({str(picture): str(folder or "") for picture, folder in found.items()})
        )
    elif way == "watch":
        journal = Journal(paths.state_dir())
        listings = [list_folder(str(path), Rules(lambda _name: True))]
        listings += [list_folder(folder, Rules(lambda _name: True)) for folder in listings[0].subfolders]
        files = [file for listing in listings for file in listing.files]
        pictures = [(os.fsencode(name), status.st_dev, commit.file_signature(status)) for name, status in files]
        journal.enqueue(pictures, watch=os.fsencode(path), **request)
    else:
        chosen = enqueue._find_pictures(str(path), {})
        sources = [(os.fsencode(name), device, is_listed) for name, (device, is_listed) in chosen.items()]
        db, _damaged = store.open_database(str(paths.state_dir()))
        listed = {name for name, _device, is_listed in sources if is_listed}
        store.enqueue(db, [(name, device, None) for name, device, _ in sources], time.time(), listed=listed, **request)
    return ""


def work(output: str = "") -> str:
    """Do the pictures, and return what became of each."""
    journal, found_file = Journal(paths.state_dir()), paths.state_dir() / "found.json"
    if found_file.exists():
        found = {
            Path(name): Path(folder) if folder else None for name, folder in json.loads(found_file.read_text()).items()
        }
        jobs = list(dispatch.run(found, journal, recipe=Recipe(output=Path(output) if output else None), listed=found))
    else:
        jobs = list(dispatch.process_queue(JournalQueue(journal), journal, worker_supervisor))
    return json.dumps({job.source.name: [job.state, job.reason, job.detail] for job in jobs})


def undo_all() -> str:
    """Undo everything."""
    journal = Journal(paths.state_dir())
    return str([reason for _job, reason in undo.undo(journal.history(), journal, os.unlink)])


COMMANDS: dict[str, Callable[..., str]] = {"list": list_pictures, "work": work, "undo": undo_all}


def rehearse() -> None:
    """Do all of it once, in a folder that is removed."""
    with tempfile.TemporaryDirectory() as name:
        home = os.environ["NOBG_HOME"]
        os.environ["NOBG_HOME"] = f"{name}/home"
        for way in ("click", "watch", "remove"):
            folder = Path(name, way)
            folder.mkdir()
            (folder / "a.jpg").write_text("ok rehearsal")
            (folder / "link").symlink_to(folder)
            (folder / "link.jpg").symlink_to(Path(name, "nowhere"))
            list_pictures(way, folder, "out", "done")
            work("out")
            links._walk(f"{folder}/link/out", os.O_RDONLY, None, links.Rule.OWN)
        undo_all()
        os.environ["NOBG_HOME"] = home


if __name__ == "__main__":
    user, command, *arguments = sys.argv[1:]
    rehearse()
    os.setgroups([])
    os.setresgid(int(user), int(user), int(user))
    os.setresuid(int(user), int(user), 0)
    if os.environ.get("NOBG_TEST_KERNEL") == "old":
        links._has_openat2 = lambda: False  # type: ignore[assignment]
    print(COMMANDS[command](*[Path(text) if text.startswith("/") else text for text in arguments]))
    os.setresuid(0, 0, 0)
    supervisor.Supervisor.stop_worker(worker_supervisor)
