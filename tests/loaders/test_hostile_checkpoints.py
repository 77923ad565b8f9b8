"""Checkpoints of unknown origin: only checked bytes are read, and no file elsewhere."""

from __future__ import annotations

import os
import shutil
import struct
import time

import numpy as np
import pytest
from loader_nets import IMAGES, LOGITS, build_net, logits_of
from table_files import block, table, varint

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.checkpoint_index import entries
from gradcam_tf1.graphdef.wire import WireError
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf

KINDS = ("index", "single")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """kind -> (folder with m, logits), and, with other weights, (folder with n, logits)."""
    found = {}
    for kind in KINDS:
        folders = [tmp_path_factory.mktemp(f"{kind}_{name}") for name in "mn"]
        with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
            build_net()
            version = tf.train.SaverDef.V2 if kind == "index" else tf.train.SaverDef.V1
            saver = tf.train.Saver(write_version=version)
            pairs = []
            for folder, factor in zip(folders, (1.0, 3.0)):
                session.run(tf.global_variables_initializer())
                bias = next(v for v in tf.global_variables() if v.op.name == "head/bias")
                bias.load(np.full(4, factor, np.float32), session)
                saver.save(session, str(folder / "m"), write_state=False)
                pairs.append((folder, session.run(LOGITS, {"images:0": IMAGES})))
        found[kind] = pairs
    return found


def copied(source, target):
    shutil.copytree(str(source), str(target))
    return target


def broken_index():
    """An index with right checksums and an entry that does not parse: TensorFlow ends the program."""
    header = runtime.bundle_header_message()(num_shards=1).SerializeToString()
    return table([(b"", header), (b"head/bias", b"\xff\xff\xff\xff")])


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_the_prefix_name_is_not_read(kind, made, tmp_path):
    """TensorFlow prefers the folder m/ to m.index, and would end the program on the checkpoint that it names."""
    folder, wanted = made[kind][0]
    here = copied(folder, tmp_path / "d")
    if kind == "single":  # the prefix itself is a file
        (here / "m.d").mkdir()
    else:
        (here / "m").mkdir()
        (here / "m" / "checkpoint").write_text('model_checkpoint_path: "evil"\n')
        (here / "m" / "evil.index").write_bytes(broken_index())
        (here / "m" / "evil.data-00000-of-00001").write_bytes(b"")
        with pytest.raises(
            ModelFileError, match=r"is a folder with checkpoints, and .*m\.index is the index of another"
        ):
            load(here / "m")
    named = here / ("m.index" if kind == "index" else "m.meta")
    np.testing.assert_array_equal(logits_of(load(named)), wanted)
    if kind == "index":
        with pytest.raises(ModelFileError, match=r"evil\.index is damaged"):
            load(here / "m" / "checkpoint")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["../other/m", "x/../../other/m", "..\\other\\m", ".."])
def test_state_files_that_lead_elsewhere(kind, name, made, tmp_path):
    here = copied(made[kind][0][0], tmp_path / "here")
    copied(made[kind][1][0], tmp_path / "other")
    text = name.replace("\\", "\\\\")
    (here / "checkpoint").write_text(f'model_checkpoint_path: "{text}"\n')
    for given in (here, here / "checkpoint"):
        with pytest.raises(ModelFileError, match="only checkpoints in its folder are read"):
            load(given)


def test_a_name_that_no_file_can_have(made, tmp_path):
    here = copied(made["index"][0][0], tmp_path / "here")
    (here / "checkpoint").write_bytes(b'model_checkpoint_path: "m\0x"\n')
    with pytest.raises(ModelFileError, match=r"names 'm.x00x': only checkpoints in its folder are read"):
        load(here)


def test_a_state_file_of_blank_lines_is_read_at_once(made, tmp_path):
    folder, wanted = made["index"][0]
    here = copied(folder, tmp_path / "here")
    (here / "checkpoint").write_text("\n" * 300_000 + 'model_checkpoint_path: "m"\n')
    started = time.process_time()
    np.testing.assert_array_equal(logits_of(load(here)), wanted)
    assert time.process_time() - started < 30  # ten minutes, if every line were a place to begin


@pytest.mark.parametrize("kind", KINDS)
def test_an_absolute_path_means_the_file_beside(kind, made, tmp_path):
    folder, wanted = made[kind][0]
    here, other = copied(folder, tmp_path / "here"), copied(made[kind][1][0], tmp_path / "other")
    (here / "checkpoint").write_text(f'model_checkpoint_path: "{other / "m"}"\n')
    for given in (here, here / "checkpoint"):
        np.testing.assert_array_equal(logits_of(load(given)), wanted)
    for path in here.glob("m*"):
        path.unlink()
    with pytest.raises(ModelFileError, match=r"names a checkpoint that is not in its folder, .*the folder has: none"):
        load(here / "checkpoint")


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_into_a_folder_below(kind, made, tmp_path):
    """A named checkpoint elsewhere is refused with its prefix; if it does not exist, the local file is used."""
    folder, wanted = made[kind][0]
    here = copied(folder, tmp_path / "here")
    (here / "checkpoint").write_text('model_checkpoint_path: "run/m"\n')
    np.testing.assert_array_equal(logits_of(load(here)), wanted)
    copied(made[kind][1][0], here / "run")
    with pytest.raises(ModelFileError, match="in another folder; give its prefix: .*run/m") as told:
        load(here)
    prefix = str(told.value).rsplit(": ", 1)[1]
    np.testing.assert_array_equal(logits_of(load(prefix)), made[kind][1][1])


def test_a_state_file_that_is_out_of_date(made, tmp_path):
    folder, wanted = made["index"][0]
    here = copied(folder, tmp_path / "here")
    (here / "checkpoint").write_text('model_checkpoint_path: "gone"\n')
    np.testing.assert_array_equal(logits_of(load(here)), wanted)  # it is the only one
    for path in list(here.glob("m.*")):
        shutil.copy(str(path), str(here / path.name.replace("m.", "k.", 1)))
    with pytest.raises(ModelFileError, match="give the prefix of one .the folder has: k, m"):
        load(here)


def test_a_prefix_with_signs_that_stand_for_other_files(made, tmp_path):
    """TensorFlow reads a prefix of the single-file format as a pattern."""
    folder, wanted = made["single"][0]
    here = copied(folder, tmp_path / "here")
    shutil.copy(str(here / "m"), str(here / "[a]*"))
    shutil.copy(str(here / "m.meta"), str(here / "[a]*.meta"))
    shutil.copy(str(made["single"][1][0] / "m"), str(here / "axx"))
    np.testing.assert_array_equal(logits_of(load(here / "[a]*.meta")), wanted)


def test_nothing_of_the_copy_stays(made, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    load(made["index"][0][0] / "m.index")
    with pytest.raises(ModelFileError):
        load(made["index"][0][0] / "m.index", build=lambda: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("end", [".index", ".data-00000-of-00001"])
def test_a_pipe_is_no_checkpoint(end, made, tmp_path):
    here = copied(made["index"][0][0], tmp_path / "here")
    (here / f"m{end}").unlink()
    os.mkfifo(str(here / f"m{end}"))
    with pytest.raises(ModelFileError, match=f"m{end} is not a regular file"):
        load(here / "m")


def test_a_data_file_that_shrinks_after_the_look(made, tmp_path, monkeypatch):
    """TensorFlow reads the copy that was checked."""
    folder, wanted = made["index"][0]
    here = copied(folder, tmp_path / "here")
    from gradcam_tf1.graphdef import checkpoint_files

    real = checkpoint_files.check_index

    def then_replace(path, shards):
        real(path, shards)
        shutil.copy(str(made["index"][1][0] / "m.index"), str(here / "m.index"))
        (here / "m.data-00000-of-00001").write_bytes(b"")

    monkeypatch.setattr(checkpoint_files, "check_index", then_replace)
    np.testing.assert_array_equal(logits_of(load(here / "m.index")), wanted)


def test_places_to_search_from_that_begin_no_entry(made):
    """A reader that starts at a restart point finds entries that a reader from the start does not see."""
    items = list(entries((made["index"][0][0] / "m.index").read_bytes()))
    good = block(items)
    hidden = good[:-5][:-8] + struct.pack("<III", 0, 7, 2)
    data = hidden + b"\0" + b"\0" * 4
    index = block([(b"\xff", varint(0) + varint(len(hidden)))])
    places = [0, 0, len(data), len(index) - 5]
    footer = b"".join(map(varint, places)).ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
    with pytest.raises(WireError, match="byte 7 is a restart point, and no entry begins there"):
        list(entries(data + index + footer))


def test_keys_out_of_order_and_entries_written_oddly(made, tmp_path):
    here = copied(made["index"][0][0], tmp_path / "here")
    items = list(entries((here / "m.index").read_bytes()))
    (here / "m.index").write_bytes(table([*items, items[1]]))
    with pytest.raises(ModelFileError, match="its keys are not in order"):
        load(here / "m")
    key, value = items[1]
    (here / "m.index").write_bytes(table([items[0], (key, value + value), *items[2:]]))  # the last value counts
    with pytest.raises(ModelFileError, match="an entry is not written as TensorFlow writes it"):
        load(here / "m")


@pytest.mark.parametrize("count", [0, 2, -1])
def test_more_data_files_than_there_are(count, made, tmp_path):
    here = copied(made["index"][0][0], tmp_path / "here")
    items = dict(entries((here / "m.index").read_bytes()))
    items[b""] = runtime.bundle_header_message()(num_shards=count).SerializeToString()
    (here / "m.index").write_bytes(table(sorted(items.items())))
    with pytest.raises(ModelFileError, match=r"(states -?\d data files|00000-of-00002 is missing)"):
        load(here / "m")
