"""jobs.db itself: where it is, its tables, how jobs get in. Few modules of the standard library: a right-click waits.

The client, the resident program and the command line meet in this one file and nowhere else.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable

from watcher import lock as file_lock
from watcher.errors import DamagedJournalError, UsageError, unwritable_records_error
from watcher.naming import resolve_destination

SCHEMA_VERSION = 3
PERSON_RANK, FOLDER_RANK = 0, 1
"""Ranks: what a person asked for goes before what lay in a watched folder."""

_TABLES = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    source BLOB NOT NULL,       -- path, as the system encodes it: it need not be valid text
    source_hash TEXT NOT NULL DEFAULT '',  -- SHA-256 of its content; empty until it has been read
    recipe TEXT NOT NULL,
    model TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN ('queued', 'active', 'done', 'skipped', 'failed')),
    reason TEXT,
    detail TEXT,
    verdict TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,     -- how often it was given to a worker; counted before
    interrupted INTEGER NOT NULL DEFAULT 0,  -- of these, how often the program itself was ended meanwhile
    seconds REAL,
    output BLOB,
    output_hash TEXT,
    folder BLOB NOT NULL,       -- where the source is
    place BLOB NOT NULL,        -- where the output goes
    device INTEGER,             -- of the source, when it was asked for: tells deleted from unplugged
    signature TEXT,             -- size and times of the source when it was last looked at
    rank INTEGER NOT NULL DEFAULT 0,
    watch BLOB,                 -- the watched folder it came from; NULL: a person asked
    force INTEGER NOT NULL DEFAULT 0,
    adopt INTEGER NOT NULL DEFAULT 0,  -- the records were lost: an output that is there counts as done
    move_to TEXT,               -- sub-folder for the original once it is done; NULL: it stays
    moved_to BLOB,              -- where the original is since
    not_before REAL NOT NULL DEFAULT 0,
    asked_at REAL NOT NULL,     -- seconds since 1970, like the next two; the same for all of one call
    started_at REAL,
    changed_at REAL NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0,
    notes TEXT NOT NULL DEFAULT '',
    UNIQUE (source, source_hash, recipe)
);
CREATE INDEX waiting ON jobs (rank, attempts, id) WHERE state = 'queued';
CREATE INDEX by_folder ON jobs (folder);
CREATE TABLE outputs (  -- all that we ever wrote or were about to write: how our files are known
    output BLOB NOT NULL,
    output_hash TEXT NOT NULL,
    source BLOB NOT NULL,
    PRIMARY KEY (output, output_hash, source)
) WITHOUT ROWID;
CREATE TABLE pauses (  -- places where nothing can be written or read for now
    place BLOB PRIMARY KEY,
    reason TEXT NOT NULL,
    needed INTEGER NOT NULL DEFAULT 0,  -- bytes
    since REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_SCHEMA_ADDED_IN_3 = """
CREATE INDEX in_hand ON jobs (id) WHERE state = 'active';
CREATE INDEX results ON jobs (changed_at, id) WHERE state = 'done' AND undone = 0 AND output IS NOT NULL;
CREATE INDEX requests ON jobs (asked_at) WHERE state = 'done' AND undone = 0 AND output IS NOT NULL;
CREATE TABLE followed (  -- all that the default recipe has been for each watched folder that follows it
    watch BLOB NOT NULL,
    recipe TEXT NOT NULL,  -- as in jobs
    said TEXT NOT NULL,    -- what the folder says itself, as a recipe; once that is another, all is done anew
    PRIMARY KEY (watch, recipe)
) WITHOUT ROWID;
"""

_MIGRATE_FROM_2 = """
INSERT INTO followed SELECT DISTINCT watch, recipe, recipe FROM jobs
    WHERE watch IS NOT NULL AND (recipe = '{}' OR recipe LIKE '{"folder": "%"}' AND recipe NOT LIKE '%,%');
"""

_MIGRATE_FROM_1 = """
ALTER TABLE jobs RENAME TO jobs_1;
ALTER TABLE outputs RENAME TO outputs_1;
{tables}
INSERT INTO outputs SELECT * FROM outputs_1;
INSERT INTO jobs (id, source, source_hash, recipe, model, state, reason, detail, verdict, attempts, seconds,
                  output, output_hash, folder, place, asked_at, changed_at)
    SELECT id, source, source_hash, recipe, model, state, reason, detail, verdict, attempts, seconds,
           output, output_hash, folder_of(source), folder_of(coalesce(output, source)), changed_at, changed_at
    FROM jobs_1 WHERE state NOT IN ('queued', 'active');
DROP TABLE jobs_1;
DROP TABLE outputs_1;
"""


def connect(path: str) -> sqlite3.Connection:
    """Open jobs.db, making it (0600) or bringing it up to date if need be. Not to be shared between threads.

    Raises sqlite3.DatabaseError when it is damaged, OperationalError when it cannot be opened, UsageError when it
    was made by a newer nobg.
    """
    _create_file(path)
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version < SCHEMA_VERSION:
            _migrate(db)
        elif version > SCHEMA_VERSION:
            raise UsageError(  # noqa: TRY301  closes the connection below
                f"{path} was made by a newer nobg. Install that again, or set NOBG_HOME to another place."
            )
    except BaseException:
        db.close()
        raise
    return db


def _create_file(path: str) -> None:
    """An empty file, 0600, if there is none. One that is there is never opened but by SQLite: closing it would end
    all locks that this process has on it (fcntl(2)), and other programs would take it for unused.
    """
    if not os.path.exists(path):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return


def _migrate(db: sqlite3.Connection) -> None:
    _enable_wal(db)
    db.create_function("folder_of", 1, os.path.dirname)

    def act() -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]  # another program may have been faster
        tables = _TABLES + _SCHEMA_ADDED_IN_3
        script = {
            0: tables,
            1: _MIGRATE_FROM_1.format(tables=tables),
            2: _SCHEMA_ADDED_IN_3 + _MIGRATE_FROM_2,
            SCHEMA_VERSION: "",
        }[version]
        for statement in script.split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    run_in_transaction(db, act)


def run_in_transaction(db: sqlite3.Connection, operation: Callable[[], None]) -> None:
    """Run `act` in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        operation()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has ended it already
            db.execute("ROLLBACK")
        raise


def _enable_wal(db: sqlite3.Connection) -> None:
    """Write-ahead logging; SQLite does not wait for its turn in this, so we do."""
    for _ in range(300):
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.1)
        else:
            return
    raise sqlite3.OperationalError("database is locked")


def open_database(folder: str, *, check_integrity: bool = False) -> tuple[sqlite3.Connection, str | None]:
    """jobs.db in `folder`, and, if a damaged one had to be moved aside, where that is now.

    `thorough` reads all of it in search of damage. Raises PlaceError where the folder cannot be written.
    """
    path = os.path.join(folder, "jobs.db")
    for _ in range(3):
        found = inode(path)
        try:
            db = connect(path)
            if check_integrity and db.execute("PRAGMA quick_check").fetchone() != ("ok",):
                db.close()
                raise sqlite3.DatabaseError("damaged")  # noqa: TRY301  the same path as what SQLite finds itself
        except (OSError, sqlite3.OperationalError) as error:
            raise unwritable_records_error(
                folder, error
            ) from error  # locked, no room, not permitted: the file is all right
        except sqlite3.DatabaseError:
            try:
                aside = move_aside(path, found)
            except OSError as error:  # Windows renames no file that another program has open
                raise unwritable_records_error(folder, error) from error
            if aside is not None:
                return _start_rebuild(path), aside
        else:
            return db, None
    raise DamagedJournalError(path)


def move_aside(path: str, expected_inode: int | None) -> str | None:
    """Rename a damaged jobs.db, never delete it. `found`: its inode; None is returned if another program was faster."""
    folder = os.path.dirname(path)
    lock = file_lock.acquire(folder, timeout=30.0, name="repair.lock")  # or two would move aside one after the other
    try:
        if inode(path) != expected_inode or expected_inode is None:
            return None
        number = 1
        while os.path.exists(aside := os.path.join(folder, f"jobs.damaged-{number}.db")):
            number += 1
        for suffix in ("-wal", "-shm", ""):  # its log first: it must never be taken for that of a new file
            if os.path.exists(path + suffix):
                os.replace(path + suffix, aside + suffix)
        return aside
    finally:
        if lock is not None:
            file_lock.release(lock)


def _start_rebuild(path: str) -> sqlite3.Connection:
    """New records after a loss: until the watched folders have been gone through, cut-outs that are there count."""
    db = connect(path)
    db.execute("INSERT OR REPLACE INTO settings VALUES ('rebuild', '1')")
    return db


def inode(path: str) -> int | None:
    """Which file is at this place; None: none."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


_ENQUEUE = """
INSERT INTO jobs (source, folder, place, device, signature, recipe, rank, watch, force, adopt, move_to,
                  state, asked_at, changed_at)
SELECT :source, :folder, :place, :device, :signature, :recipe, :rank, :watch, :force, :adopt, :move_to,
       'queued', :now, :now
WHERE :rank = 0 OR NOT EXISTS (
    SELECT 1 FROM jobs WHERE source = :source AND signature = :signature
    AND (recipe = :recipe OR recipe IN (SELECT recipe FROM followed WHERE watch = :watch)))
ON CONFLICT (source, source_hash, recipe) DO UPDATE SET
    state = 'queued', reason = NULL, detail = NULL, attempts = 0, interrupted = 0, not_before = 0, undone = 0,
    watch = CASE WHEN state = 'queued' AND rank < excluded.rank THEN watch ELSE excluded.watch END,
    rank = CASE WHEN state = 'queued' THEN min(rank, excluded.rank) ELSE excluded.rank END,
    move_to = CASE WHEN state = 'queued' THEN coalesce(excluded.move_to, move_to) ELSE excluded.move_to END,
    force = excluded.force, adopt = excluded.adopt, device = excluded.device, signature = excluded.signature,
    place = excluded.place, asked_at = excluded.asked_at, changed_at = excluded.changed_at
"""


def enqueue(
    db: sqlite3.Connection,
    pictures: Iterable[tuple[bytes, int | None, str | None]],
    now: float,
    *,
    recipe: str = "{}",
    subfolder: bytes = b"",
    watch: bytes | None = None,
    force: bool = False,
    adopt: bool = False,
    move_to: str | None = None,
) -> None:
    """Put jobs in the queue, all or none, durably.

    `pictures`: path, device number and signature; a picture from a watched folder (`watch`) that is known with this
    signature under this recipe, or under one that the folder followed before, is left out. `subfolder`: where outputs
    go, seen from the picture's folder. A picture that waits already keeps its one job and the better of the two ranks.
    """
    common = {
        "recipe": recipe,
        "rank": PERSON_RANK if watch is None else FOLDER_RANK,
        "watch": watch,
        "force": force,
        "adopt": adopt,
        "move_to": move_to,
        "now": now,
    }

    def act() -> None:
        for source, device, seen in pictures:
            folder = os.path.dirname(source)
            place = resolve_destination(folder, subfolder) if subfolder else folder
            values = {"source": source, "folder": folder, "place": place, "device": device, "signature": seen}
            db.execute(_ENQUEUE, values | common)

    run_in_transaction(db, act)


WAKE_FILE = "knock"


def wake_program(folder: str) -> None:
    """Tell the program that the queue has changed, by a change that its system tells it of. It looks anyway, later.

    A change of jobs.db itself would come too early: before the transaction can be seen.
    """
    try:
        with open(os.open(os.path.join(folder, WAKE_FILE), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"!")
    except OSError:
        return


def _is_output(db: sqlite3.Connection, path: bytes) -> bool:
    return db.execute("SELECT 1 FROM outputs WHERE output = ? LIMIT 1", (path,)).fetchone() is not None


def open_and_enqueue(
    folder: str, sources: list[tuple[bytes, int, bool]], *, recipe: str = "{}", subfolder: bytes = b""
) -> bool:
    """The client's whole business with jobs.db: when it returns, the jobs are on the disk. True: nobg is paused.

    `sources`: path, device number, and whether it was found in a folder that the person named: what we made ourselves
    is left out there, whatever it is called. `recipe`, `subfolder`: as enqueue() takes them.

    Raises PlaceError, DamagedError.
    """
    path = os.path.join(folder, "jobs.db")
    for _ in range(3):
        db, _aside = open_database(folder)
        opened = inode(path)
        try:
            pictures = [
                (source, device, None) for source, device, listed in sources if not (listed and _is_output(db, source))
            ]
            enqueue(db, pictures, time.time(), recipe=recipe, subfolder=subfolder)
            paused = db.execute("SELECT 1 FROM settings WHERE name = 'paused'").fetchone() is not None
        except sqlite3.OperationalError as error:
            raise unwritable_records_error(folder, error) from error
        except sqlite3.DatabaseError:
            move_aside(path, opened)
            continue
        finally:
            db.close()
        wake_program(folder)
        if inode(path) == opened:  # else somebody moved it aside as damaged meanwhile, and our jobs with it
            return paused
    raise DamagedJournalError(path)
