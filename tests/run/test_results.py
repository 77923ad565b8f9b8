"""Result is an int, Results is the array of predicted classes."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from gradcam_tf1.run.result import MapRecord, Result, TargetRecord
from gradcam_tf1.run.results import Results


def cat_result() -> Result:
    overlay = MapRecord("gradcam", "conv:0", "ok", "", -1.0, 2.0, (3, 4), {"overlay": "out/a.png", "raw": "out/a.npz"})
    empty = MapRecord("gradcam", "conv:0", "empty", "no evidence", -1.0, 0.0, None, {"overlay": "out/b.png"})
    targets = [TargetRecord(282, "tiger cat", 8.5, 0.9, (overlay,)), TargetRecord(0, None, -1.0, None, (empty,))]
    return Result(282, source="in/cat.jpg", relative="cat.jpg", index=2, size=(480, 640), targets=targets)


def three() -> Results:
    return Results([cat_result(), Result(0, source="b"), Result(source="c", error="truncated")], "out", "out/m.jsonl")


def test_result_is_the_predicted_class():
    result = cat_result()
    names = [str(i) for i in range(300)]
    assert result == 282
    assert names[result] == "282"
    assert f"gradcam_class_{result}.png" == "gradcam_class_282.png"
    assert "class %d" % result == "class 282"  # noqa: UP031 - as older scripts write it
    assert json.dumps(int(result)) == "282"
    assert bool(Result(0))  # class 0 is an answer too
    assert type(result.predicted) is int


def test_result_flattens_its_targets():
    result = cat_result()
    assert result.class_ids == [282, 0]
    assert result.labels == ["tiger cat", None]
    assert result.scores == [8.5, -1.0]
    assert result.probabilities == [0.9, None]
    assert [record.status for record in result.maps] == ["ok", "empty"]
    assert result.files == ["out/a.png", "out/a.npz", "out/b.png"]
    assert (result.ok, result.status, result.size, result.index) == (True, "ok", (480, 640), 2)


def test_failed_result_is_minus_one_and_class_0_is_not_a_failure():
    failed = Result(source="x.jpg", error="truncated")
    assert (failed, failed.ok, failed.status, failed.error) == (-1, False, "error", "truncated")
    assert Result(0).ok
    assert repr(failed) == "Result(-1, source='x.jpg', status='error')"


def test_result_survives_copying():
    twin = copy.deepcopy(cat_result())  # the same protocol as pickle's
    assert twin == 282
    assert twin.targets == cat_result().targets
    assert twin.source == "in/cat.jpg"


def test_results_is_the_array_of_predicted_classes():
    results = three()
    array = np.asarray(results)
    assert array.dtype == results.dtype == np.int64
    assert array.tolist() == results.tolist() == [282, 0, -1]
    assert (results.shape, results.ndim, results.size, len(results)) == ((3,), 1, 3, 3)
    assert results.astype(np.float32).dtype == np.float32
    assert np.asarray(results, dtype=np.int32).dtype == np.int32
    assert np.array([1, 2, 3])[results == 0].tolist() == [2]


def test_results_compare_element_by_element():
    results = three()
    assert (results == 282).tolist() == [True, False, False]
    assert (np.array(282) == results).tolist() == [True, False, False]
    assert (results == [282, 5, -1]).tolist() == [True, False, True]
    assert (results == three()).tolist() == [True, True, True]
    assert (results != 282).sum() == 2
    assert (results > 0).tolist() == [True, False, False]
    assert (results + 1).tolist() == [283, 1, 0]
    assert np.sum(results) == 281
    np.testing.assert_array_equal(results, [282, 0, -1])
    with pytest.raises(TypeError, match="unhashable"):
        hash(results)


def test_results_index_like_a_sequence_and_like_an_array():
    results = three()
    assert results[0].source == "in/cat.jpg"
    assert results[-1].error == "truncated"
    assert [r.source for r in results[1:]] == ["b", "c"]
    assert [r.source for r in results[results != 0]] == ["in/cat.jpg", "c"]
    assert results[np.array([2, 1])].tolist() == [-1, 0]
    assert results[1:].out_folder == "out"
    assert results[:, None].shape == (3, 1)
    assert 0 in results
    assert results.index(0) == 1
    with pytest.raises(IndexError, match="there is no result 3; possible: 0 to 2"):
        results[3]


def test_results_know_what_failed_and_where_things_are():
    results = three()
    assert [r.source for r in results.failed] == ["c"]
    assert (results.out_folder, results.manifest) == ("out", "out/m.jsonl")
    assert repr(results) == "Results([282, 0, -1], failed=1, out_folder='out')"
    assert np.asarray(Results([])).shape == (0,)


def test_results_cannot_be_viewed_without_a_copy():
    with pytest.raises(ValueError, match="leave out copy=False"):
        three().__array__(copy=False)
