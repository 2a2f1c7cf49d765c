"""record.py: a record that is damaged is one sentence, however it is damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from integrations.artifact import IntegrationError
from integrations.record import Record

ENTRY = {"kind": "file", "address": "/a", "sha256": ["x"], "client": ["/b"], "users": ["nemo"]}


def record_of(entry: dict[str, Any] | None = None, **changes: Any) -> bytes:
    entries = {"/a": {**ENTRY, **(entry or {})}}
    return json.dumps({"entries": entries, "folders": ["/d"], **changes}).encode()


def test_a_sound_record_is_read(tmp_path: Path) -> None:
    (tmp_path / "menu.json").write_bytes(record_of())
    record = Record.load(tmp_path / "menu.json")
    assert record.entries == {"/a": ENTRY}
    assert record.created_folders == ["/d"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        record_of(entries=[]),
        record_of(entries={"/a": 1}),
        record_of(entries=None),
        record_of(folders=None),
        record_of(folders="/d"),
        record_of(folders=[1]),
        record_of(folders=["/d\0"]),
        record_of(entries={"/a\0": {**ENTRY, "address": "/a\0"}}),
        record_of({"users": None}),
        record_of({"users": "nemo"}),
        record_of({"users": [1]}),
        record_of({"client": 3}),
        record_of({"kind": None}),
        record_of({"address": "/b"}),
        record_of(entries={"/a": {"kind": "file", "address": "/a"}}),
    ],
    ids=lambda content: ascii(content[:60]),
)
def test_a_damaged_record_is_one_sentence_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "menu.json").write_bytes(content)
    with pytest.raises(
        IntegrationError, match=r"menu\.json, the record of what nobg installed, is damaged\. Delete it"
    ):
        Record.load(tmp_path / "menu.json")
