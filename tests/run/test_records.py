"""Of a long run only the first records stay in memory; the others come back from its manifest as they were."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import shutil
import tracemalloc

import numpy as np
import pytest
from flat_options import grouped
from PIL import Image

from gradcam_tf1.errors import ManifestError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model
from gradcam_tf1.run import line_index, results
from gradcam_tf1.run.manifest import ManifestWriter
from gradcam_tf1.run.manifest_lines import line_of
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.result import MapRecord, Result, TargetRecord
from gradcam_tf1.run.results import Records, Results

COUNT = 40
BAD = (5, 6, 39)
ODD = os.fsdecode(b"caf\xe9\n.jpg")


def make_result(i, out, bad=(), score=0.1):
    relative = f"{i}{ODD}"
    if i in bad:
        return Result(source=f"in/{relative}", relative=relative, index=i, error=f"{i} is torn")
    map = MapRecord("gradcam", "conv:0", "ok", "", -i, i / 3, (i, 1), {"overlay": os.path.join(out, f"{i}.png")})
    target = TargetRecord(i % 7, f"class {i % 7}", i + score, None, (map,))
    size = (4, i)
    return Result(i % 7, source=f"in/{relative}", relative=relative, index=i, size=size, targets=[target])


def run_of(out, made, resume=False):
    """The results of a run that made these."""
    with ManifestWriter(str(out), resume, lines_per_sync=1 << 20) as manifest:
        kept = Records(manifest.read_back)
        for result in manifest.done():
            kept.append(result)
        for result in made:
            manifest.write(result)
            kept.append(result)
    return Results(kept, str(out), manifest.path)


@pytest.fixture
def few(monkeypatch):
    """Room for five images of one map each."""
    monkeypatch.setattr(results, "KEPT", 10)


@pytest.fixture
def opened(monkeypatch):
    """The paths from which lines are read back."""
    paths = []

    def note(path, mode):
        paths.append(path)
        return open(path, mode)

    monkeypatch.setattr(line_index, "open", note, raising=False)
    return paths


@pytest.fixture
def made(tmp_path):
    return [make_result(i, str(tmp_path), BAD) for i in range(COUNT)]


@pytest.fixture
def long(few, tmp_path, made):
    return run_of(tmp_path, made)


def all_of(results):
    return [(int(result), result.__dict__) for result in results]


def test_all_records_are_as_they_were(long, made, tmp_path):
    assert all_of(long) == all_of(made)
    assert [long[i].__dict__ for i in range(COUNT)] == [result.__dict__ for result in made]
    assert long[-1].__dict__ == made[-1].__dict__
    assert all_of(long.failed) == all_of([made[i] for i in BAD])
    assert long[0] is long[0], "kept"
    assert long[4] is long[4], "the last that is kept"
    assert long[5] is not long[5], "read back"
    resumed = run_of(tmp_path, made[COUNT:], resume=True)
    assert all_of(resumed) == all_of(made)


INDICES = (
    slice(3, 9),
    slice(None, None, -1),
    slice(30, 2, -7),
    slice(50, 60),
    np.array([39, 0, 5, 5, 2]),
    np.arange(COUNT) % 3 == 1,
    [],
)


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_parts_are_those_of_a_list(long, made, index):
    twin = Results(made, long.out_folder, long.manifest)
    for part, expected in ((long[index], twin[index]), (long[index][::-1], twin[index][::-1])):
        assert all_of(part) == all_of(expected)
        assert repr(part) == repr(expected)
        assert all_of(part.failed) == all_of([result for result in expected if not result.ok])
        np.testing.assert_array_equal(np.asarray(part), [int(result) for result in expected])


def test_the_manifest_is_opened_once_for_all_and_never_for_numbers(long, opened):
    assert (long == 3).sum() == 6
    assert (3 in long, -1 in long, 9 in long) == (True, True, False)
    assert (long.index(-1), long.index(-1, 6), long.count(-1)) == (5, 6, 3)
    assert (np.sum(long), len(long), long.tolist()[-2:]) == (97, COUNT, [3, -1])
    assert "failed=3" in repr(long)
    with pytest.raises(ValueError, match="is not in list"):
        long.index(0, 36, 39)
    assert len(list(long[:5])) == 5
    assert opened == []
    assert len(list(long)) == COUNT
    assert len(opened) == 1


def test_another_run_in_the_folder_is_never_read_for_this_one(long, made, tmp_path):
    again = run_of(tmp_path, [make_result(i, str(tmp_path), BAD, score=0.2) for i in range(COUNT)])
    assert os.path.getsize(long.manifest) == sum(len(line_of(result, str(tmp_path))) for result in made), "of one size"
    assert again[7].scores == [7.2]
    assert long[4].scores == [4.1]
    assert long.tolist() == again.tolist()
    with pytest.raises(ManifestError, match=r"manifest\.jsonl, line 8: not the line that the run wrote"):
        long[7]
    assert long[5].error == "5 is torn", "the same line in both"
    with pytest.raises(ManifestError, match="the file has changed since"):
        list(long)


def test_a_folder_that_is_gone_and_a_file_that_was_cut(long, tmp_path):
    with open(long.manifest, "rb+") as stream:
        stream.truncate(os.path.getsize(long.manifest) - 1)
    assert long[38].relative == f"38{ODD}"
    with pytest.raises(ManifestError, match="line 40: not the line that the run wrote"):
        long[39]
    shutil.rmtree(str(tmp_path))
    assert len(list(long[:5])) == 5
    with pytest.raises(ManifestError, match="the manifest cannot be read any more: No such file or directory"):
        long.failed  # noqa: B018 - reads


def test_results_can_be_copied_and_pickled(long, made):
    for twin in (copy.deepcopy(long), pickle.loads(pickle.dumps(long))):  # noqa: S301 - our own
        assert all_of(twin) == all_of(made)
        assert repr(twin) == repr(long)


def test_the_program_may_change_its_folder(few, tmp_path, monkeypatch):
    monkeypatch.chdir(str(tmp_path))
    os.mkdir("out")
    made = [make_result(i, "out") for i in range(COUNT)]
    results = run_of("out", made)
    monkeypatch.chdir("/")
    assert all_of(results) == all_of(made)


def grown(count, half, step):
    """Bytes that are still held of the second half of `count` steps, for each."""
    tracemalloc.start()
    try:
        for i in range(half):
            step(i)
        before = tracemalloc.get_traced_memory()[0]
        for i in range(half, count):
            step(i)
        return (tracemalloc.get_traced_memory()[0] - before) / (count - half)
    finally:
        tracemalloc.stop()


def test_memory_of_an_image_is_a_few_numbers(tmp_path):
    with ManifestWriter(str(tmp_path), lines_per_sync=1 << 20) as manifest:
        kept = Records(manifest.read_back)

        def step(i):
            result = make_result(i, "")
            manifest.write(result)
            kept.append(result)

        assert grown(12_000, 4_000, step) < 40
    assert len(kept) == 12_000
    assert next(kept.read([11_999])).scores == [11_999.1]


def test_memory_of_a_name_is_a_hash():
    namer = Namer()
    # Seen doubles beyond two thirds of 2^15, 2^16 and 2^17 slots
    assert grown(86_000, 22_000, lambda i: namer.stem(f"a folder of some length/and an image's name {i}", i)) < 20


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        yield net


def test_a_run_keeps_no_record_beyond_the_first(net, tmp_path, few):
    state, folder = np.random.RandomState(0), tmp_path / "photos"
    folder.mkdir()
    for i in range(20):
        Image.fromarray(state.randint(0, 256, (8, 8, 3)).astype(np.uint8)).save(str(folder / f"{i:02}.png"))
    (folder / "03.png").write_bytes(b"")

    def live():
        gc.collect()
        return sum(isinstance(item, Result) for item in gc.get_objects())

    before, told = live(), []
    options = {"methods": "gradcam", "batch_size": 2}
    whole = net.visualize_imgs(
        str(folder),
        str(tmp_path / "out"),
        **grouped(progress=lambda result, total: told.append(dict(result.__dict__)), **options),
    )
    assert live() - before == 5, "four images of one map and one that has failed take 9 of 10"
    assert [result.__dict__ for result in whole] == told
    manifest = tmp_path / "out" / "manifest.jsonl"
    manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:9]))
    resumed = net.visualize_imgs(str(folder), str(tmp_path / "out"), **grouped(resume=True, **options))
    assert [result.__dict__ for result in resumed] == told
    assert [result.relative for result in resumed.failed] == ["03.png"]
