"""The page of recipes: its names bind nets that have them, and its commands run on nets with such ends."""

from __future__ import annotations

import re
import shlex
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from keras_nets import saved_model
from medical_files import write_dicom
from recipe_nets import SPECIAL, classifier, write_covid_net, write_export, write_frozen, write_hub_module

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.cli import main
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.run.manifest import read_manifest

PAGE = (Path(__file__).resolve().parent.parent / "docs/recipes.md").read_text(encoding="utf-8")
ROW = r"(?m)^\| `(\w+)`<br>\d+ x \d+<br>`(.+?)` \| `(.+?)`<br>`(.+?)`<br>`(.+?)` \|$"
NETS = {row[0]: (*row[2:], row[1]) for row in re.findall(ROW, PAGE)}
COMMANDS = re.findall(r"(?m)^    gradcam-tf1 (run .*)$", PAGE)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, names in NETS.items():
        write_frozen(partial(classifier, *names[:3]), f"{folder}/{name}.pb")
    for name, build in SPECIAL.items():
        write_frozen(build, f"{folder}/{name}.pb")
    write_covid_net(str(folder / "covid_net"))
    write_export(str(folder / "export"))
    write_hub_module(str(folder / "hub_module"))
    saved_model(str(folder / "keras.h5"))
    (folder / "photos").mkdir()
    shutil.copy(demo_scenes()[0].path, str(folder / "photos"))
    shutil.copy(demo_scenes()[1].path, str(folder / "person.png"))
    (folder / "scenes").mkdir()
    field = np.random.RandomState(0).randint(0, 255, (70, 80, 4)).astype(np.uint8)
    np.save(str(folder / "scenes" / "field.npy"), field)
    (folder / "scans").mkdir()
    write_dicom(str(folder / "scans" / "slice.dcm"), np.arange(6400, dtype=np.int16).reshape(80, 80) - 1000)
    return folder


def test_the_page_has_its_recipes():
    assert len(NETS) == 10
    assert len(COMMANDS) >= 15


@pytest.mark.parametrize("name", sorted(NETS))
def test_the_names_of_a_table_are_found_without_being_given(models, name):
    input, logits, layer, _ = NETS[name]
    with GradCamGraph(str(models / f"{name}.pb"), preset="inception") as net:
        assert (net.binding.input, net.binding.logits, net.binding.layer) == (input, logits, layer)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_of_a_recipe_explains_its_images(models, command, monkeypatch):
    monkeypatch.chdir(models)
    words = shlex.split(command)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, f"{command}\n{result.output}"
    lines = list(read_manifest(f"{words[words.index('--out') + 1]}/manifest.jsonl"))
    assert len(lines) == 1
    assert lines[0]["status"] == "ok"
    assert {map["status"] for target in lines[0]["targets"] for map in target["maps"]} == {"ok"}


def test_the_pixels_of_a_table_are_those_of_the_commands():
    for command in COMMANDS:
        name = Path(shlex.split(command)[1]).stem
        if name in NETS:
            assert NETS[name][-1] in command


REAL = {  # row of the page, or the names in its text -> the file of a real net
    "mobilenet_v1": "pb/mobilenet_v1_0.25_128_2018/mobilenet_v1_0.25_128_frozen.pb",
    "retrained_mobilenet": "pb/retrained_mobilenet_0.25_224_caltech256/retrained_graph.pb",
    "deeplab": "pb/deeplab_dm05_513/frozen_inference_graph.pb",
}


@pytest.mark.parametrize("name", sorted(REAL))
def test_a_real_net_has_the_names_of_the_page(models_dir, name):
    named = NETS.get(name) or re.findall(r"`(\S+:0)`", PAGE.split("\n## DeepLab\n")[1])
    with GradCamGraph(str(models_dir / REAL[name]), preset=None if name == "deeplab" else "inception") as net:
        assert [net.binding.input, net.binding.logits, net.binding.layer] == list(named[:3])
