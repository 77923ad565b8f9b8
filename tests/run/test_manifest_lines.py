"""A result comes back from its line as it was, whatever is in it."""

from __future__ import annotations

import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.manifest import ManifestWriter
from gradcam_tf1.run.manifest_lines import line_of, parse_line, result_of
from gradcam_tf1.run.result import MapRecord, Result, TargetRecord

OUT = "out/of here"
PATH = os.fsdecode(b"caf\xe9\n.jpg")
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "\n", "\u2028", '"', "\\xe9", "\x00\x1b[2J", "<b>"]
)
PATHS = st.one_of(TEXTS, st.binary(max_size=8).map(os.fsdecode))  # what a file system can have
NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\\"), min_size=1, max_size=8)
FILES = st.dictionaries(
    TEXTS, NAMES.filter(lambda name: name not in (".", "..")).map(lambda name: f"{OUT}/{name}"), max_size=2
)
INTS = st.integers(-(2**40), 2**40)


def results_of(texts, numbers):
    maps = st.builds(
        MapRecord,
        *(texts, texts, st.sampled_from(["ok", "empty"]), texts, numbers, numbers, st.none() | st.tuples(INTS, INTS)),
        files=FILES,
        box=st.none() | st.tuples(INTS, INTS, INTS, INTS),
        notes=st.lists(texts, max_size=2).map(tuple),
    )
    rows = st.lists(maps, max_size=2).map(tuple)
    targets = st.builds(TargetRecord, INTS, st.none() | texts, numbers, st.none() | numbers, rows, texts)
    common = {"source": PATHS, "relative": PATHS, "size": st.none() | st.tuples(INTS, INTS), "figures": FILES}
    explained = st.builds(Result, INTS, targets=st.lists(targets, max_size=2), **common)
    return explained | st.builds(Result, error=texts.filter(bool), **common)


RESULTS = results_of(TEXTS, st.floats(allow_nan=False, allow_infinity=False))
ANYTHING = results_of(st.text(max_size=5) | st.sampled_from(["\ud800", "\udcff"]), st.floats())


def back(line, index=0):
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    line.decode("ascii")
    return result_of(parse_line(line, "m", index), index, OUT)


@settings(max_examples=100, deadline=None)
@given(RESULTS)
def test_a_result_comes_back_as_it_was(result):
    again = back(line_of(result, OUT))
    assert (int(again), again.__dict__) == (int(result), result.__dict__)


@settings(max_examples=100, deadline=None)
@given(ANYTHING)
def test_what_json_cannot_say_becomes_null_or_is_escaped_once(result):
    line = line_of(result, OUT)
    json.loads(line.decode(), parse_constant=pytest.fail)  # NaN, Infinity
    again = back(line)
    assert line_of(again, OUT) == line
    assert (again.source, again.relative, again.size, again.ok) == (
        *(result.source, result.relative, result.size, result.ok),
    )
    for record, first in zip(again.maps, result.maps):
        assert record.minimum == first.minimum or (math.isnan(record.minimum) and not math.isfinite(first.minimum))


@settings(max_examples=40, deadline=None)
@given(st.lists(RESULTS, min_size=1, max_size=4), st.data())
def test_a_journal_that_was_cut_at_any_byte_goes_on(tmp_path_factory, made, data):
    out = str(tmp_path_factory.mktemp("cut"))
    whole = b"".join(line_of(result, OUT) for result in made)
    end = data.draw(st.integers(0, len(whole)))
    with open(os.path.join(out, "manifest.jsonl"), "wb") as stream:
        stream.write(whole[:end])
    with ManifestWriter(out, resume=True) as manifest:
        assert manifest.lines == whole[:end].count(b"\n")
        done = list(manifest.done())
        assert [(int(result), result.relative) for result in done] == [(int(r), r.relative) for r in made[: len(done)]]
        assert [result.index for result in done] == list(range(manifest.lines))
        with open(manifest.path, "rb") as stream:
            assert stream.read() == b"".join(line_of(result, OUT) for result in made[: manifest.lines])
        for result in made[manifest.lines :]:
            manifest.write(result)
        assert [r.relative for r in manifest.read_back(reversed(range(len(made))))] == [r.relative for r in made[::-1]]


def owl():
    maps = (
        MapRecord("gradcam", "conv:0", "ok", "", -1.0, 2.0, (3, 4), {"overlay": f"{OUT}/a.png"}, (0, 1, 5, 6), ("n",)),
    )
    targets = [TargetRecord(24, "owl", 8.5, 0.5, maps, "not 7")]
    return Result(24, source=PATH, relative=PATH, size=(4, 5), targets=targets, figures={"layers": f"{OUT}/f.png"})


VALUES = (
    None,
    True,
    1.5,
    -1,
    10**30,
    "x",
    "",
    [],
    {},
    [1],
    ["x"],
    [None],
    [[]],
    [{}],
    {"a": 1},
    {"a": None},
    {"a": []},
)


def damaged(line):
    """The line with each of its parts replaced by each of the values, or left out."""
    paths = [(), *((key,) for key in line), *(("targets", 0, key) for key in line["targets"][0])]
    paths += [("targets", 0, "maps", 0, key) for key in line["targets"][0]["maps"][0]]
    for path in paths:
        for value in VALUES:
            whole = {"": json.loads(json.dumps(line))}
            place = whole
            for key in ("", *path)[:-1]:
                place = place[key]
            place[("", *path)[-1]] = value
            yield whole[""]
            if path and value is None:
                del place[path[-1]]
                yield whole[""]


def test_a_line_that_is_no_results_is_refused(tmp_path):
    """Whatever JSON stands for a line or a part of it: a result, or the error that says what to do."""
    line = json.loads(line_of(owl(), OUT).decode())
    refused = count = 0
    (tmp_path / "run.json").write_text('{"gradcam_tf1": "0"}')
    with open(str(tmp_path / "manifest.jsonl"), "w") as stream:
        stream.write(json.dumps(line) + "\n")
    with ManifestWriter(str(tmp_path), resume=True) as manifest:
        assert [result.relative for result in manifest.done()] == [PATH]
    for changed in damaged(line):
        count += 1
        with open(str(tmp_path / "manifest.jsonl"), "w") as stream:
            stream.write(json.dumps(changed) + "\n")
        with ManifestWriter(str(tmp_path), resume=True) as manifest:
            try:
                assert [type(each) for each in manifest.done()] == [Result]
            except OptionError as error:
                refused += 1
                assert "its manifest is damaged" in str(error)  # noqa: PT017
    assert 100 < refused < count


def test_what_no_result_can_be_is_refused(tmp_path):
    (tmp_path / "run.json").write_text('{"gradcam_tf1": "0"}')
    for line in ("7", "[" * 100_000, '{"predicted": 1e999}', '{"source_hex": "x"}', "null", "\udcff"):
        (tmp_path / "manifest.jsonl").write_text(line + "\n", errors="surrogateescape")
        refused = pytest.raises(OptionError, match="its manifest is damaged")
        with ManifestWriter(str(tmp_path), resume=True) as manifest, refused:
            list(manifest.done())
