"""The journal of a long task: whole lines, one task at a time, and no mixing of settings."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest

from gradcam_tf1.errors import ManifestError, OptionError
from gradcam_tf1.run.row_journal import RowJournal

SETTINGS = {"steps": 50, "methods": ["gradcam"], "share": np.float64(0.15)}
ROWS = [
    {"relative": os.fsdecode(b"caf\xe9.png"), "value": np.float32(0.1)},
    {"relative": "b.png", "value": 1 / 3},
    {"relative": "c.png", "value": math.nan},
]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "evaluation.jsonl")


def written(path, rows=ROWS, settings=SETTINGS, resume=False):
    with RowJournal(path, settings, resume) as journal:
        for row in rows[len(journal) :]:
            journal.write(row)
    with open(path, "rb") as stream:
        return stream.read()


def test_rows_come_back_with_all_their_digits(path):
    text = written(path)
    text.decode("ascii")
    with RowJournal(path, SETTINGS, resume=True) as journal:
        rows = list(journal.rows())
    assert [row["relative"] for row in rows] == [row["relative"] for row in ROWS]
    assert [row["value"] for row in rows] == [float(np.float32(0.1)), 1 / 3, None]


def test_a_task_goes_on_after_any_byte_and_gives_the_same_bytes(path):
    whole = written(path)
    for end in range(len(whole) + 1):
        with open(path, "wb") as stream:
            stream.write(whole[:end])
        assert written(path, resume=True) == whole, end


def test_without_resume_a_task_starts_anew(path):
    written(path)
    with RowJournal(path, SETTINGS) as journal:
        assert (len(journal), list(journal.rows())) == (0, [])


def test_other_settings_are_refused_and_nothing_is_lost(path):
    whole = written(path)
    with pytest.raises(OptionError, match="steps was 50, now it is 100.*choose another output folder"):
        RowJournal(path, {**SETTINGS, "steps": 100}, resume=True)
    with open(path, "rb") as stream:
        assert stream.read() == whole
    with pytest.raises(OptionError, match="share was 0.15, now it is null"):
        RowJournal(path, {"steps": 50, "methods": ["gradcam"]}, resume=True)


def test_another_version_is_other_settings(path):
    head, *rest = written(path).splitlines(keepends=True)
    other = json.dumps({**json.loads(head), "gradcam_tf1": "0.0.1"}).encode() + b"\n"
    with open(path, "wb") as stream:
        stream.write(other + b"".join(rest))
    with pytest.raises(OptionError, match="gradcam_tf1 was .0.0.1., now it is"):
        RowJournal(path, SETTINGS, resume=True)


@pytest.mark.parametrize("content", [b"my own notes\n", b"{}\n", b'{"gradcam_tf1": 3}\n', b"notes"])
def test_a_file_of_another_program_is_kept(path, content):
    with open(path, "wb") as stream:
        stream.write(content)
    for resume in (False, True):
        with pytest.raises(OptionError, match="not written by this toolkit.*choose another output folder"):
            RowJournal(path, SETTINGS, resume)
    with open(path, "rb") as stream:
        assert stream.read() == content


def test_one_task_at_a_time(path):
    with RowJournal(path, SETTINGS), pytest.raises(OptionError, match="another run is writing into"):
        RowJournal(path, SETTINGS, resume=True)


def test_a_line_that_is_damaged_is_named(path):
    head, first, *rest = written(path).splitlines(keepends=True)
    with open(path, "wb") as stream:
        stream.write(head + b"{" + first + b"".join(rest))
    with RowJournal(path, SETTINGS, resume=True) as journal, pytest.raises(ManifestError, match="line 2"):
        list(journal.rows())
