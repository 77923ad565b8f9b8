"""`gradcam-tf1 convert`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
import shlex

from command_line import command

from gradcam_tf1.nets.demo import demo_model


def test_the_command_that_it_names_works(tmp_path):
    path = tmp_path / "a net.pb"
    text = command("convert", demo_model(), path, "--layer", "conv4/Relu:0")
    assert re.search(r"layer +conv4/Relu:0\n", text)
    words = shlex.split(text.rpartition("next: ")[2])
    assert words == ["gradcam-tf1", "presets", str(path), "IMAGES", "--layer", "conv4/Relu:0"]
    found = json.loads(command("inspect", path, "--json"))
    assert (found["input"], found["layer"]) == ("input:0", "conv5/Relu:0")


def test_json_and_a_file_that_is_there(tmp_path):
    path = tmp_path / "net.pb"
    found = json.loads(command("convert", demo_model(), path, "--json"))
    assert (found["path"], found["logits"], found["kind"]) == (str(path), "logits/BiasAdd:0", "frozen graph")
    before = path.read_bytes()
    assert "exists already; write another file, or give --overwrite" in command("convert", demo_model(), path, code=2)
    assert path.read_bytes() == before
