"""The tables of jobs.db, and the SQL that brings an older file up to date.

`store` imports this module only to create or migrate the file, because each import costs the right-click client time.
"""

from __future__ import annotations

_JOBS = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: a shown notification may still undo the job
    source BLOB NOT NULL,       -- path, as the system encodes it: it need not be valid text
    source_hash TEXT NOT NULL DEFAULT '',  -- SHA-256 of its content; empty until it has been read
    recipe TEXT NOT NULL,
    model TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN ('queued', 'active', 'done', 'skipped', 'failed')),
    reason TEXT,
    detail TEXT,
    verdict TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,     -- how often a worker got it; counted just before
    interrupted INTEGER NOT NULL DEFAULT 0,  -- in how many of them the program itself ended
    seconds REAL,
    output BLOB,
    output_hash TEXT,
    folder BLOB NOT NULL,       -- where the source is
    place BLOB NOT NULL,        -- where the output goes
    device INTEGER,             -- of the source at the request: distinguishes deleted from unplugged
    signature TEXT,             -- size and times of the source at the last check
    rank INTEGER NOT NULL DEFAULT 0,
    watch BLOB,                 -- the watched folder it came from; NULL: a person requested it
    force INTEGER NOT NULL DEFAULT 0,
    adopt INTEGER NOT NULL DEFAULT 0,  -- the records were lost: an existing output counts as done
    move_to TEXT,               -- sub-folder for the original once it is done; NULL: it stays
    moved_to BLOB,              -- where the original has been moved
    not_before REAL NOT NULL DEFAULT 0,
    asked_at REAL NOT NULL,     -- seconds since 1970, like the next two; the same for a whole request
    started_at REAL,
    changed_at REAL NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0,
    notes TEXT NOT NULL DEFAULT '',
    listed BLOB,                -- the folder that a person selected and in which it was found; NULL: none, or `watch`
    doubt REAL,                 -- how doubtful the alpha is, 0..1; NULL: no network ran, or before version 7
    why TEXT NOT NULL DEFAULT '',    -- the reasons of the doubt: keys of errors.DOUBTS, separated by blanks
    edits TEXT NOT NULL DEFAULT '',  -- the hash of the edits that the output has; empty: none
    accepted REAL,              -- when a person looked at the output and accepted it; NULL: not yet
    UNIQUE (source, source_hash, recipe)
);
"""

_INDEXES = """
CREATE INDEX waiting ON jobs (rank, attempts, id) WHERE state = 'queued';
CREATE INDEX by_folder ON jobs (folder);
"""

_TABLES = """
CREATE TABLE outputs (  -- everything that nobg wrote or was about to write: shows which files are its own
    output BLOB NOT NULL,
    output_hash TEXT NOT NULL,
    source BLOB NOT NULL,
    PRIMARY KEY (output, output_hash, source)
) WITHOUT ROWID;
CREATE TABLE pauses (  -- folders that cannot be written or read for now
    place BLOB PRIMARY KEY,
    reason TEXT NOT NULL,
    needed INTEGER NOT NULL DEFAULT 0,  -- bytes
    since REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_SCHEMA_ADDED_IN_8 = """
CREATE TABLE edits (  -- what a person did to cut-outs by hand
    source_hash TEXT PRIMARY KEY,  -- SHA-256 of the photo's content
    edits TEXT NOT NULL,           -- JSON: see matting/touchup/edits.py
    changed_at REAL NOT NULL       -- seconds since 1970
) WITHOUT ROWID;
CREATE INDEX doubtful ON jobs (doubt)
    WHERE state = 'done' AND undone = 0 AND output IS NOT NULL AND accepted IS NULL;
CREATE INDEX unclear ON jobs (changed_at) WHERE state = 'skipped' AND reason = 'no_clear_subject';
"""

_INDEXES_ADDED_IN_3 = """
CREATE INDEX in_hand ON jobs (id) WHERE state = 'active';
CREATE INDEX results ON jobs (changed_at, id) WHERE state = 'done' AND undone = 0 AND output IS NOT NULL;
CREATE INDEX requests ON jobs (asked_at) WHERE state = 'done' AND undone = 0 AND output IS NOT NULL;
"""

_SCHEMA_ADDED_IN_3 = """
CREATE TABLE followed (  -- for each watched folder that follows the default recipe: every default so far
    watch BLOB NOT NULL,
    recipe TEXT NOT NULL,  -- as in jobs
    said TEXT NOT NULL,    -- the folder's own settings, as a recipe; if they change, all is done again
    PRIMARY KEY (watch, recipe)
) WITHOUT ROWID;
"""

_INDEXES_ADDED_IN_4 = """
CREATE INDEX by_content ON jobs (source_hash);
CREATE INDEX by_result ON jobs (output_hash) WHERE output_hash IS NOT NULL;
"""

_SCHEMA_ADDED_IN_4 = """
CREATE INDEX written ON outputs (output_hash);
CREATE TABLE copies (  -- cut-outs in watched folders under other names than those of `outputs`
    folder BLOB NOT NULL,
    path BLOB NOT NULL,
    signature TEXT NOT NULL,  -- as in jobs: another file may take the name
    PRIMARY KEY (folder, path)
) WITHOUT ROWID;
"""

_MARK_AS_NEW = """
INSERT INTO settings VALUES ('new', '1');
"""

_MIGRATE_FROM_2 = """
INSERT INTO followed SELECT DISTINCT watch, recipe, recipe FROM jobs
    WHERE watch IS NOT NULL AND (recipe = '{}' OR recipe LIKE '{"folder": "%"}' AND recipe NOT LIKE '%,%');
"""

_ALL_INDEXES = _INDEXES + _INDEXES_ADDED_IN_3 + _INDEXES_ADDED_IN_4

_MIGRATE_FROM_4 = (
    "ALTER TABLE jobs RENAME TO jobs_4;\n"  # noqa: S608  these are constants
    + _JOBS
    + """
INSERT INTO jobs SELECT *, NULL, NULL, '', '', NULL FROM jobs_4;
DROP TABLE jobs_4;
"""
    + _ALL_INDEXES
    + _SCHEMA_ADDED_IN_8
)

_MIGRATE_FROM_7 = (
    """
ALTER TABLE jobs ADD COLUMN why TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN edits TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN accepted REAL;
"""
    + _SCHEMA_ADDED_IN_8
)

_MIGRATE_FROM_6 = (
    """
ALTER TABLE jobs ADD COLUMN doubt REAL;
"""
    + _MIGRATE_FROM_7
)

_MIGRATE_FROM_5 = (
    """
ALTER TABLE jobs ADD COLUMN listed BLOB;
"""
    + _MIGRATE_FROM_6
)

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


def upgrade_script(version: int) -> str:
    """Return the SQL that brings a jobs.db of this version to store.SCHEMA_VERSION; version 0 is an empty file.

    Each statement ends with a semicolon at the end of a line. The statements call the SQL function folder_of(path),
    which the connection must provide.
    """
    added = _SCHEMA_ADDED_IN_3 + _SCHEMA_ADDED_IN_4
    tables = _JOBS + _TABLES + _ALL_INDEXES + added + _SCHEMA_ADDED_IN_8
    return {
        0: tables + _MARK_AS_NEW,
        1: _MIGRATE_FROM_1.format(tables=tables),
        2: _SCHEMA_ADDED_IN_3 + _MIGRATE_FROM_2 + _SCHEMA_ADDED_IN_4 + _MIGRATE_FROM_4,
        3: _SCHEMA_ADDED_IN_4 + _MIGRATE_FROM_4,
        4: _MIGRATE_FROM_4,
        5: _MIGRATE_FROM_5,
        6: _MIGRATE_FROM_6,
        7: _MIGRATE_FROM_7,
        8: "",
    }[version]
