"""Errors of the command line: one line that begins with Error, exit code 2, no traceback but that of a bug."""

from __future__ import annotations

import os

import pytest
from command_line import command, run
from image_folders import copy_scenes

from gradcam_tf1.nets.demo import demo_model


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", "a.png", "b.png")


@pytest.mark.parametrize(
    ("typed", "told"),
    [("reprot", "did you mean 'report'?"), ("photos", "there are compare, concepts, convert, demo, doctor, ")],
)
def test_a_command_that_is_not_there(typed, told):
    assert f"Error: no command '{typed}'; {told}" in command(typed, "out", code=2)


def test_preprocessing_is_never_guessed(photos, tmp_path):
    text = run(photos, tmp_path / "out", preset=(), code=2)
    assert "or let `gradcam-tf1 presets MODEL IMAGES` find it" in text
    assert "Error: the model does not show its preprocessing of pixel values" in text
    for name in ("inception", "torch", "caffe", "zero-one", "raw", "custom"):
        assert f"\n  {name} " in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class", "unicorn"], "class name 'unicorn' needs labels, but no labels were given"),
        (["--class", "7"], "no class 7: the net has 7 classes, ids 0 to 6"),
        (["--layer", "conv9"], "conv9"),
        (["--backcount", "0"], "--backcount 0 is no layer; count from 1"),
        (["--preset", "vgg"], "unknown preprocessing 'vgg'"),
        (["--preset", "gray-raw"], "the net's input has 3 channels, but this preprocessing makes 1"),
        (["--scale", "1,2,3"], "--scale is one number for all channels"),
        (["--fit", "short-side"], "fit 'short-side' needs an input of free size"),
        (["--size", "64x64"], "the net's input has height 96, not 64"),
        (["--labels", "no/such/file.txt"], "label file 'no/such/file.txt' cannot be opened"),
        (["--fully-convolutional"], "a reference net needs its weights; give --weights FILE"),
        (["--weights", "vgg19.npy"], "no reference net is called"),
    ],
)
def test_errors_are_one_line(photos, tmp_path, options, message):
    text = run(photos, tmp_path / "out", *options, code=2)
    (line,) = [line for line in text.splitlines() if line.startswith("Error: ")]
    assert message in line
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "0x5"], "'0x5' is not a size; write HEIGHTxWIDTH, as in 240x320"),
        (["--mean", "a,b"], "'a,b': write a number"),
        (["--std", "1/0"], "'1/0': write a number"),
        (["--std", "1/"], "'1/': write a number"),
        (["--feed", "training"], "'training': write NAME=VALUE"),
        (["--feed", "=1"], "'=1': write NAME=VALUE"),
        (["--feed", "x=__import__('os')"], "is not a value to feed"),
        (["--method", "grad"], "'grad' is not one of"),
        (["--alpha", "2"], "2.0 is not in the range"),
        (["--batch-size", "0"], "0 is not in the range"),
        (["--naming", "pretty"], "'pretty' is not one of"),
    ],
)
def test_usage_errors(photos, tmp_path, options, message):
    assert message in run(photos, tmp_path / "out", *options, code=2)


def test_models_and_images_that_are_not_there(photos, tmp_path):
    assert "Error: " in run(photos, tmp_path / "out", model="no/such/model.pb", code=2)
    assert "vgg19" in run(photos, tmp_path / "out", model="vgg19", code=2)
    bad = tmp_path / "text.pb"
    bad.write_text("this is not a graph")
    text = run(photos, tmp_path / "out", model=bad, code=2)
    assert "text.pb" in text
    assert "Traceback" not in text
    assert "no such file or folder: 'nowhere'" in run("nowhere", tmp_path / "out", code=2)
    assert "choose another output folder" in run(photos, photos, code=2)
    assert "Missing option '--out'" in command("run", demo_model(), photos, code=2)
    (tmp_path / "file").write_text("")
    assert "file' is not a folder; choose another output folder" in run(photos, tmp_path / "file", code=2)


def test_other_exceptions_keep_their_traceback(photos, tmp_path, monkeypatch):
    def broken(*_arguments, **_options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("gradcam_tf1.graph.GradCamGraph.visualize_imgs", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(photos, tmp_path / "out")
    monkeypatch.setattr("gradcam_tf1.graph.GradCamGraph.visualize_imgs", lambda *_a, **_o: os.fdopen(-1))
    with pytest.raises((OSError, ValueError)):  # not about a file that the user named
        run(photos, tmp_path / "out")
