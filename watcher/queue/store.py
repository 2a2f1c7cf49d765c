"""The file jobs.db: open it, replace it if it is damaged, put jobs in it.

The right-click client imports this module while a person waits, so it imports the standard library only, and little of
that. The client, the resident program and the command line share no other file or connection.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Container, Iterable

from watcher import paths, places
from watcher.errors import DamagedJournalError, NoAnswerError, UsageError, advise, unwritable_records_error
from watcher.naming import resolve_destination

SCHEMA_VERSION = 8
BUSY_SECONDS = 90.0  # how long to wait while another program, such as a backup, has jobs.db locked
NEWEST_PLAUSIBLE_VERSION = 1000  # a higher version is damage, not a newer nobg
REPAIR_MARKER = "jobs.repair"
"""The file in the state folder that exists while a damaged jobs.db is being replaced: see `damage.repair`."""
_TABLES = {"jobs", "outputs", "pauses", "settings", "followed", "copies", "edits"}
PERSON_RANK, FOLDER_RANK = 0, 1
"""Values of the column `rank`: the pictures that a person requests come before those of watched folders."""


def connect(path: str) -> sqlite3.Connection:
    """Open jobs.db. Create it (0600) if it is missing; migrate it if it is older.

    Threads must not share the connection.

    Raises sqlite3.DatabaseError if the file is damaged, sqlite3.OperationalError if it cannot be opened, UsageError if
    a newer nobg made it.
    """
    _create_file(path)
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    db.text_factory = _decode_leniently
    try:
        db.execute("PRAGMA synchronous = FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if not 0 <= version < NEWEST_PLAUSIBLE_VERSION:
            raise sqlite3.DatabaseError("no nobg has this version")  # noqa: TRY301  the connection is closed below
        if version < SCHEMA_VERSION:
            _migrate(db)
        elif version == SCHEMA_VERSION:
            _check_tables(db)
        else:
            raise UsageError(  # noqa: TRY301  the connection is closed below
                advise(
                    f"{path} was made by a newer nobg.",
                    desktop="Install that version again.",
                    terminal="Install that version again, or set NOBG_HOME to another folder.",
                )
            )
    except BaseException:
        db.close()
        raise
    return db


def _decode_leniently(raw: bytes) -> str:
    """Return a text of jobs.db, also if a flipped bit has made it invalid: one such row must not hide the others."""
    return raw.decode("utf-8", "backslashreplace")


def _check_tables(db: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError if a table is missing, as in a file that another program has emptied."""
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not names >= _TABLES:
        raise sqlite3.DatabaseError("a table is missing")


def is_damage(error: Exception) -> bool:
    """Return whether what SQLite raised means that the file is damaged.

    No damage: it is locked, may not be opened, or has no room to grow; and a subclass such as IntegrityError means a
    bug in nobg. A UnicodeDecodeError is SQLite's own message with damaged bytes in it.
    """
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR  # no such table, for example
    return type(error) in (sqlite3.DatabaseError, UnicodeDecodeError)


def _create_file(path: str) -> None:
    """Create an empty file, 0600, if there is none.

    Only SQLite may open an existing file: when a process closes any descriptor of a file, it loses all its locks on
    that file (fcntl(2)), and other programs would assume that the file is unused.
    """
    if not os.path.exists(path):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return


def _migrate(db: sqlite3.Connection) -> None:
    """Bring the tables up to date."""
    from watcher.queue import schema  # imported here, so that the client does not load it on every click

    _enable_wal(db)
    db.create_function("folder_of", 1, os.path.dirname)

    def upgrade() -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]  # another program may have migrated the file by now
        for statement in schema.upgrade_script(version).split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    run_in_transaction(db, upgrade)


def run_in_transaction(db: sqlite3.Connection, operation: Callable[[], None]) -> None:
    """Run `operation` in one transaction. If it raises, undo what it changed."""
    db.execute("BEGIN IMMEDIATE")
    try:
        operation()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite itself rolls back when the disk is full
            db.execute("ROLLBACK")
        raise


def _enable_wal(db: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite's own timeout does not apply to this switch, so retry here, for 30 s."""
    deadline = time.monotonic() + min(30.0, BUSY_SECONDS)
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.1)
        else:
            return


def check_access(folder: str) -> None:
    """Raise DestinationError if the system refuses jobs.db in `folder` to this user: no waiting helps then."""
    for name in ("jobs.db", "jobs.db-wal", "jobs.db-shm"):
        path = os.path.join(folder, name)
        if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
            raise unwritable_records_error(folder, PermissionError(13, "Permission denied", path))


def open_database(
    folder: str, *, check_integrity: bool = False, check_indexes: bool = False
) -> tuple[sqlite3.Connection, str | None]:
    """Open jobs.db in `folder`. If it is damaged, move it aside, and save what can be read of it into a new one.

    Return the connection and the new path of the damaged file, or None. `check_integrity` reads the whole file to look
    for damage, `check_indexes` also compares tables and indexes, which takes three times as long. Raises
    DestinationError if the file or its folder cannot be written, DamagedJournalError if other programs keep replacing
    the file.
    """
    path = os.path.join(folder, "jobs.db")
    check = "PRAGMA integrity_check(1)" if check_indexes else "PRAGMA quick_check(1)" if check_integrity else ""
    damaged_path = None
    for _ in range(3):
        _finish_repair(folder)
        opened_inode = inode(path)
        try:
            db = connect(path)
            try:
                if check and db.execute(check).fetchone() != ("ok",):
                    raise sqlite3.DatabaseError("damaged")  # noqa: TRY301  handled below like damage that SQLite reports
            except BaseException:
                db.close()
                raise
        except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
            if not is_damage(error):
                raise unwritable_records_error(folder, error) from error
            damaged_path = repair(path, opened_inode) or damaged_path
        else:
            return db, damaged_path
    raise DamagedJournalError(path)


def repair(path: str, expected_inode: int | None) -> str | None:
    """Replace a damaged jobs.db; never delete it. Return its new path, or None if another program has replaced it.

    `expected_inode`: the inode of the damaged file; None: there was no file. Raises DestinationError, and
    DamagedJournalError if another program does not finish replacing it.
    """
    from watcher.queue.damage import repair as damage  # imported here, so that the client does not load it

    try:
        return damage.replace(path, lambda: expected_inode is not None and inode(path) == expected_inode, connect)
    except (OSError, sqlite3.Error) as error:  # Windows renames no file that another program has open
        raise unwritable_records_error(os.path.dirname(path), error) from error


def _finish_repair(folder: str) -> None:
    """Wait for the program that repairs jobs.db, or finish what it was killed in."""
    if not os.path.exists(os.path.join(folder, REPAIR_MARKER)):
        return
    from watcher.queue.damage import repair as damage

    try:
        damage.finish(folder, connect)
    except (OSError, sqlite3.Error) as error:
        raise unwritable_records_error(folder, error) from error


def inode(path: str) -> int | None:
    """Return the inode of the file at `path`, or None if there is no file. Raises DestinationError."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unwritable_records_error(os.path.dirname(path), error) from error


_ENQUEUE = """
INSERT INTO jobs (source, folder, place, device, signature, recipe, rank, watch, force, adopt, move_to,
                  listed, state, asked_at, changed_at)
SELECT :source, :folder, :place, :device, :signature, :recipe, :rank, :watch, :force, :adopt, :move_to,
       :listed, 'queued', :now, :now
WHERE :rank = 0 OR NOT EXISTS (
    SELECT 1 FROM jobs WHERE source = :source AND signature = :signature
    AND (recipe = :recipe OR recipe IN (SELECT recipe FROM followed WHERE watch = :watch)))
ON CONFLICT (source, source_hash, recipe) DO UPDATE SET
    state = 'queued', reason = NULL, detail = NULL, attempts = 0, interrupted = 0, not_before = 0, undone = 0,
    notes = '',
    watch = CASE WHEN state = 'queued' AND rank < excluded.rank THEN watch ELSE excluded.watch END,
    listed = CASE WHEN state = 'queued' AND rank < excluded.rank THEN listed ELSE excluded.listed END,
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
    listed: Container[bytes] = (),
) -> None:
    """Put all of these pictures in the queue, or none. When it returns, the jobs are on the disk.

    `pictures`: path, device number and signature of each. `now`: seconds since 1970; the pictures of one call form one
    request. `recipe`: as Recipe.key() returns it. `subfolder`: the recipe's output folder, absolute or seen from the
    picture's folder. `watch`: the watched folder that the pictures come from; None if a person requests them. `force`,
    `adopt` and `move_to`: see the columns of these names. `listed`: those that were found in a folder that a person
    selected.

    A picture that is queued already keeps its one job, with the better of the two ranks. A picture from a watched
    folder is left out if a job has the same source and signature, under this recipe or one that the folder followed
    before.
    """
    request = {
        "recipe": recipe,
        "rank": PERSON_RANK if watch is None else FOLDER_RANK,
        "watch": watch,
        "force": force,
        "adopt": adopt,
        "move_to": move_to,
        "now": now,
    }

    def insert() -> None:
        for source, device, signature in pictures:
            folder = os.path.dirname(source)
            destination = resolve_destination(folder, subfolder) if subfolder else folder
            picture = {
                "source": source,
                "folder": folder,
                "place": destination,
                "device": device,
                "signature": signature,
                "listed": folder if source in listed else None,
            }
            db.execute(_ENQUEUE, picture | request)

    run_in_transaction(db, insert)


WAKE_FILE = "knock"
"""The file in the state folder whose changes wake the resident program."""


def wake_program(folder: str) -> None:
    """Wake the resident program by writing to WAKE_FILE, which it watches. If that fails, it checks the queue later.

    Watching jobs.db itself would wake it too early, before it can see the transaction.
    """
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with open(paths.open_private(os.path.join(folder, WAKE_FILE), flags), "wb") as file:
            file.write(b"!")
    except OSError:
        return


def is_output(db: sqlite3.Connection, path: bytes, signature: str | None = None) -> bool:
    """Return whether nobg ever wrote, or planned to write, a file at `path`.

    `signature`: the file's; None: it is looked at, if that matters.
    """
    if db.execute("SELECT 1 FROM outputs WHERE output = ? LIMIT 1", (path,)).fetchone() is not None:
        return True
    if db.execute("SELECT 1 FROM outputs WHERE source = X'' LIMIT 1").fetchone() is None:
        return False
    signature = signature or signature_of(path)
    query = "SELECT 1 FROM outputs WHERE output = ? LIMIT 1"
    return signature is not None and db.execute(query, (fingerprint(path, signature),)).fetchone() is not None


def fingerprint(path: bytes, signature: str, recipe: str = "") -> bytes:
    """Return what `outputs` keeps of a forgotten file in place of its path; see `forget`. No path is like it."""
    import hashlib  # imported here, so that the client does not load it on every click

    return b"\0" + hashlib.sha256(b"\0".join((path, signature.encode(), recipe.encode()))).digest()


def signature_of(path: bytes) -> str | None:
    """Return the present signature of a file, or None if there is none, or if its drive does not answer."""
    from watcher import commit
    from watcher.guard.long_paths import for_system

    try:
        return commit.file_signature(places.ask(path, os.lstat, for_system(os.fsdecode(path))))
    except (OSError, NoAnswerError):
        return None


def open_and_enqueue(
    folder: str, sources: list[tuple[bytes, int | None, bool]], *, recipe: str = "{}", subfolder: bytes = b""
) -> bool:
    """Put the client's pictures in jobs.db and wake the resident program. Return whether nobg is paused.

    `sources`: path and device number of each picture, and whether it was found in a folder that the person selected.
    Of those found in a folder, nobg's own outputs are left out, whatever their names. `recipe` and `subfolder`: see
    enqueue().

    Raises DestinationError, DamagedJournalError.
    """
    path = os.path.join(folder, "jobs.db")
    for _ in range(3):
        db, _damaged_path = open_database(folder)
        opened_inode = inode(path)
        try:
            pictures = [
                (source, device, None)
                for source, device, is_from_folder in sources
                if not (is_from_folder and is_output(db, source))
            ]
            listed = {source for source, _device, is_from_folder in sources if is_from_folder}
            enqueue(db, pictures, time.time(), recipe=recipe, subfolder=subfolder, listed=listed)
            paused = db.execute("SELECT 1 FROM settings WHERE name = 'paused'").fetchone() is not None
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if isinstance(error, sqlite3.OperationalError) or not isinstance(error, sqlite3.DatabaseError):
                raise unwritable_records_error(folder, error) from error
            db.close()
            repair(path, opened_inode)
            continue
        finally:
            db.close()
        wake_program(folder)
        if inode(path) == opened_inode:  # otherwise another program has moved the file aside, with these jobs in it
            return paused
    raise DamagedJournalError(path)
