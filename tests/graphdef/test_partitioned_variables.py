"""Checkpoints with variables in parts: TensorFlow would end the program if the parts do not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from table_files import table

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.checkpoint_files import private_checkpoint
from gradcam_tf1.graphdef.checkpoint_index import entries
from gradcam_tf1.tf_runtime import tf

SHAPE = [4, 300, 2]
VALUES = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
NAME = "scope/w"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The prefix of a checkpoint with one variable in 2 x 3 parts; their starts and lengths take one or two bytes."""
    prefix = str(tmp_path_factory.mktemp("parts") / "m")
    blocks = [(row, column) for row in (0, 2) for column in (0, 64, 200)]
    lengths = {0: 64, 64: 136, 200: 100}
    slices = [f"4 300 2 {row},2:{column},{lengths[column]}:-" for row, column in blocks]
    with tf.Graph().as_default(), tf.Session() as session:
        parts = [VALUES[row : row + 2, column : column + lengths[column]] for row, column in blocks]
        session.run(tf.raw_ops.SaveV2(prefix=prefix, tensor_names=[NAME] * 6, shape_and_slices=slices, tensors=parts))
    return prefix


def read(prefix):
    with private_checkpoint(prefix) as copy:
        return tf.train.load_checkpoint(copy).get_tensor(NAME)


def changed(good, tmp_path, how, all_entries=None):
    """A copy whose entry of the variable is changed."""
    data_end = ".data-00000-of-00001"
    items = dict(entries(Path(good + ".index").read_bytes()))
    key = next(key for key in items if key.startswith(b"scope"))
    entry = runtime.bundle_entry_message().FromString(items[key])
    how(entry)
    items[key] = entry.SerializeToString()
    if all_entries:
        all_entries(items)
    (tmp_path / "m.index").write_bytes(table(sorted(items.items())))
    (tmp_path / f"m{data_end}").write_bytes(Path(good + data_end).read_bytes())
    return str(tmp_path / "m")


def test_parts_that_fit_are_read(good):
    np.testing.assert_array_equal(read(good), VALUES)


def first(start, length):
    def how(entry):
        extent = entry.slices[0].extent[0]
        extent.start, extent.length = start, length

    return how


def add_again(entry):
    entry.slices.add().CopyFrom(entry.slices[0])


def add_many(entry):
    for _ in range(5000):
        add_again(entry)


BROKEN = {
    "twice": (add_again, "has parts that overlap"),
    "overlapping": (first(1, 2), "has parts that overlap"),
    "negative": (first(-5, -7), "has 4 numbers along axis 0, and a part of it has -7 numbers from -5"),
    "huge": (first(2**62, 2**62), f"a part of it has {2**62} numbers from {2**62}"),
    "empty": (first(0, 0), "a part of it has 0 numbers from 0"),
    "outside": (first(3, 2), "a part of it has 2 numbers from 3"),
    "one missing": (lambda entry: entry.slices.__delitem__(0), "has parts that do not cover it completely"),
    "of other axes": (lambda entry: entry.slices[0].extent.__delitem__(0), "has 3 axes, a part of it has 2"),
    "without axes": (lambda entry: entry.slices[0].ClearField("extent"), "has 3 axes, a part of it has 0"),
    "too many": (add_many, "is stored in 5,006 parts; 4,096 are allowed"),
    "of another type": (lambda entry: setattr(entry, "dtype", 2), "whose numbers have another shape or dtype"),
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_parts_that_do_not_fit_are_refused(kind, good, tmp_path):
    how, match = BROKEN[kind]
    with pytest.raises(ModelFileError, match=match):
        read(changed(good, tmp_path, how))


def test_parts_of_other_sizes_than_their_numbers(good, tmp_path):
    """TensorFlow would copy memory behind the numbers."""

    def shrink(items):
        key = min(key for key in items if key.startswith(b"\0"))
        part = runtime.bundle_entry_message().FromString(items[key])
        part.shape.dim[1].size = 1
        items[key] = part.SerializeToString()

    with pytest.raises(ModelFileError, match="whose numbers have another shape or dtype"):
        read(changed(good, tmp_path, lambda entry: None, shrink))


def test_parts_whose_numbers_are_missing(good, tmp_path):
    def drop(items):
        del items[min(key for key in items if key.startswith(b"\0"))]

    with pytest.raises(ModelFileError, match="the numbers of a part of the variable .* are missing"):
        read(changed(good, tmp_path, lambda entry: None, drop))


def test_a_variable_without_axes_in_parts(good, tmp_path):
    def how(entry):
        entry.shape.ClearField("dim")
        entry.ClearField("slices")
        entry.slices.add()

    with pytest.raises(ModelFileError, match="has 0 axes, a part of it has 0"):
        read(changed(good, tmp_path, how))


def test_sizes_beyond_all_numbers_with_a_zero_behind(good, tmp_path):
    """TensorFlow ends with SIGABRT."""

    def how(entry):
        for dim, size in zip(entry.shape.dim, (2**62, 2**62, 0)):
            dim.size = size
        entry.ClearField("slices")

    with pytest.raises(ModelFileError, match="more than the 2 GB that a graph can hold"):
        read(changed(good, tmp_path, how))


@pytest.mark.programs
def test_the_program_lives_on(good, tmp_path):
    """TensorFlow ends with SIGABRT before it reads the parts."""
    prefix = changed(good, tmp_path, add_again)
    command = [sys.executable, "-m", "gradcam_tf1", "inspect", prefix]
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, 4, 4, 3])
        tf.nn.softmax(tf.reduce_mean(images, [1, 2]) * tf.reduce_mean(tf.get_variable("w", SHAPE)))
        tf.train.export_meta_graph(prefix + ".meta")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    assert done.returncode == 2
    assert b"has parts that overlap" in done.stdout
