"""A run over a folder, the same packed, and the same as a list: the same images come out, wherever they come from."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from command_line import command, manifest
from image_folders import write_noise

from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.run.listing import COUNTED, list_images
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.tf_runtime import tf

NAMES = [f"{i:02}.png" for i in range(10)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = write_noise(tmp_path_factory.mktemp("sources") / "photos", dict.fromkeys(NAMES, (30, 40)))
    (folder / NAMES[4]).write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def whole(net, photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    net.visualize_imgs(str(photos), str(out), methods="gradcam")
    return images(out)


def images(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in Path(out).rglob("*.png")}


def make_tar(photos, path, mode="w"):
    with tarfile.open(str(path), mode) as archive:
        for name in NAMES:
            archive.add(str(photos / name), name)
    return str(path)


def make_zip(photos, path):
    with zipfile.ZipFile(str(path), "w") as archive:
        for name in NAMES:
            archive.write(str(photos / name), name)
    return str(path)


def make_list(photos, path):
    path.write_text("".join(f"{photos / name}\n" for name in NAMES))
    return f"@{path}"


@pytest.mark.parametrize(
    "make",
    [
        lambda photos, folder: make_tar(photos, folder / "a.tar"),
        lambda photos, folder: make_tar(photos, folder / "a.tar.gz", "w:gz"),
        lambda photos, folder: make_zip(photos, folder / "a.zip"),
    ],
    ids=["tar", "tar.gz", "zip"],
)
def test_archives_give_what_their_folder_gives(net, photos, whole, tmp_path, make):
    out = str(tmp_path / "out")
    results = net.visualize_imgs(make(photos, tmp_path), out, methods="gradcam")
    assert [result.relative for result in results] == NAMES
    assert [result.relative for result in results.failed] == [NAMES[4]]
    assert images(out) == whole


def test_an_archive_is_resumed_as_a_folder_is(net, photos, whole, tmp_path):
    archive, out = make_tar(photos, tmp_path / "a.tar.gz", "w:gz"), str(tmp_path / "out")
    calls = []
    first = net.visualize_imgs(
        archive, out, methods="gradcam", run=RunOptions(batch_size=3, stop=lambda: calls.append(1) or len(calls) > 2)
    )
    assert (len(first), first.complete) == (6, False)
    assert len(net.visualize_imgs(archive, out, methods="gradcam", run=RunOptions(batch_size=3, resume=True))) == 10
    assert set(images(out)) == set(whole)


def test_records_of_tensorflow(net, photos, tmp_path):
    path = str(tmp_path / "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for name in NAMES:
            data = tf.train.Feature(bytes_list=tf.train.BytesList(value=[(photos / name).read_bytes()]))
            features = tf.train.Features(feature={"image/encoded": data})
            writer.write(tf.train.Example(features=features).SerializeToString())
    results = net.visualize_imgs(path, str(tmp_path / "out"), methods="gradcam")
    assert [result.ok for result in results] == [i != 4 for i in range(10)]
    assert results.tolist() == net.visualize_imgs(str(photos), str(tmp_path / "out2"), methods="gradcam").tolist()


def test_lists_and_standard_input(photos, tmp_path):
    run = ["run", demo_model(), "--preset", "inception", "--method", "gradcam", "--out"]
    command(*run, tmp_path / "a", make_list(photos, tmp_path / "list.txt"), code=1)
    paths = "\0".join(str(photos / name) for name in NAMES)
    assert "9 images explained, 1 failed" in command(*run, tmp_path / "b", "-", code=1, stdin=paths)
    for name in ("a", "b"):
        lines = manifest(tmp_path / name)
        assert [line["source"] for line in lines] == [str(photos / name) for name in NAMES]
    assert images(tmp_path / "a") == images(tmp_path / "b")


def test_a_draw_and_targets_of_each_image_work_on_archives(net, photos, tmp_path):
    archive = make_tar(photos, tmp_path / "a.tar.gz", "w:gz")
    drawn = net.visualize_imgs(archive, str(tmp_path / "out"), methods="gradcam", run=RunOptions(n_images=3))
    folder = net.visualize_imgs(str(photos), str(tmp_path / "out2"), methods="gradcam", run=RunOptions(n_images=3))
    assert [result.relative for result in drawn] == [result.relative for result in folder]
    rows = [[i % 7] for i in range(10)]
    results = net.visualize_imgs(archive, str(tmp_path / "out3"), methods="gradcam", targets=rows)
    assert [result.class_ids for result in results] == [row if i != 4 else [] for i, row in enumerate(rows)]


def test_how_many_there_are_is_known_where_that_costs_nothing(photos, tmp_path, monkeypatch):
    out = str(tmp_path / "out")
    assert list_images(str(photos), out)[1] == 10
    assert list_images(make_tar(photos, tmp_path / "a.tar"), out)[1] == 10
    packed, count = list_images(make_tar(photos, tmp_path / "a.tar.gz", "w:gz"), out)
    assert (count, len(list(packed))) == (None, 10)
    many = tmp_path / "list.txt"
    many.write_text("".join(f"{i}.png\n" for i in range(COUNTED + 5)))
    images, count = list_images(f"@{many}", out)
    assert (count, sum(1 for _ in images)) == (None, COUNTED + 5)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(os.fsencode(f"{photos / NAMES[0]}\n"))))
    images, count = list_images("-", out)
    assert (count, [image.path for image in images]) == (None, [str(photos / NAMES[0])])
