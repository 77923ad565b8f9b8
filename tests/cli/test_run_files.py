"""Run files: what is read, what is refused, and that a file does what the command line does."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner
from command_line import command, manifest
from image_folders import copy_scenes

from gradcam_tf1.cli import main
from gradcam_tf1.cli.run_files import MOST_BYTES, read_run_file
from gradcam_tf1.errors import OptionError
from gradcam_tf1.nets.demo import demo_model


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """The current folder, with two photos."""
    copy_scenes(tmp_path / "photos", "a.png", "b.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(desk, text, name="run.yml", *words):
    """The error of a run with this file."""
    write(desk / name, text)
    said = command("run", "--config", name, *words, code=2)
    assert "Traceback" not in said
    assert not (desk / "out").exists()
    return said


START = f"model: {demo_model()}\nimages: photos\nout: out\npreset: inception\nmethod: gradcam\n"


def files(folder):
    """Name -> content of the files of a run; of run.json all but the times."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    settings = json.loads(found["run.json"])
    del settings["history"]
    return {**found, "run.json": settings}


def test_a_file_does_what_the_command_line_does(desk):
    more = (
        "class: [1, 2]\nalpha: 3e-1\nbox: true\nheatmaps: no\nbatch_size: 1\nraw: on\nbands: [3, 2, 1]\nn_images: 2\n"
    )
    write(desk / "run.yml", START + more)
    command("run", "--config", "run.yml")
    chosen = ("--preset", "inception", "--method", "gradcam", "--class", 1, "--class", 2, "--batch-size", 1)
    drawn = ("--alpha", 0.3, "--no-heatmaps", "--raw", "--bands", "3,2,1", "--n-images", 2, "--box")
    command("run", demo_model(), "photos", "--out", "typed", *chosen, *drawn)
    assert files(desk / "out") == files(desk / "typed")
    assert len(manifest("out")[0]["targets"]) == 2


def test_json_and_older_names_do_too(desk):
    values = {"model": demo_model(), "images_path": ["photos"], "save_dir": "out", "preset": "inception"}
    more = {"no_pooling": True, "layer_name": "CONV4", "select_output": "logits/BiasAdd", "backcount": [1, 3]}
    write(
        desk / "run.json", json.dumps({**values, **more, "noise": "smoothgrad", "noise_level": 0.1, "noise-samples": 2})
    )
    command("run", "--config", "run.json")
    layers = [(map["method"], map["layer"]) for map in manifest("out")[0]["targets"][0]["maps"]]
    assert [layer for method, layer in layers if method == "hirescam"] == [
        "conv5/Relu:0",
        "conv3/Relu:0",
        "conv4/Relu:0",
    ]


def test_the_command_line_wins(desk):
    write(desk / "run.yml", START + "class: 1\nheatmaps: false\n")
    command("run", "--config", "run.yml", "--class", "3", "--heatmaps", "--out", "other", demo_model(), "photos/a.png")
    (line,) = manifest("other")
    assert [target["class_id"] for target in line["targets"]] == [3]
    assert "heatmap" in line["targets"][0]["maps"][0]["files"]


def test_values_are_text_as_on_the_command_line(desk):
    names = ["no", "1e-3", "12:30", "2020-99-99", "017", "null", "~x"]
    write(desk / "labels.txt", "\n".join(names))
    classes = "class: [no, 1e-3, 12:30, 2020-99-99, ~x, 'null', 004]\n"
    write(desk / "run.yml", START + "labels: labels.txt\n" + classes)
    command("run", "--config", "run.yml", "--n-images", 1)
    assert [target["class_id"] for target in manifest("out")[0]["targets"]] == [0, 1, 2, 3, 6, 5, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alhpa: 1", "run.yml, line 1: alhpa is no option of run; did you mean alpha?"),
        ("qqq: 1", "run.yml, line 1: qqq is no option of run; `gradcam-tf1 run --help` lists them"),
        ("model_clas: a", "did you mean model_class?"),
        ("config: x", "config is no option of run that a file can hold; give it on the command line"),
        ("allow-code: true", "allow-code is no option of run that a file can hold"),
        ("alpha: 7", "run.yml, line 1: alpha: 7.0 is not in the range 0<=x<=1."),
        ("alpha: yes", "run.yml, line 1: alpha: 'yes' is not a valid float range"),
        ("\nstyle: pretty", "run.yml, line 2: style: 'pretty' is not one of"),
        ("size: 0x5", "size: '0x5' is not a size; write HEIGHTxWIDTH"),
        ("feed: training", "feed: 'training': write NAME=VALUE"),
        ("alpha: [0.5, 1]", "run.yml, line 1: alpha has one value, not a list"),
        ("alpha:", "alpha has no value; give one, or leave the line out"),
        ("alpha: {a: 1}", "alpha is a value or a list of values, nothing deeper"),
        ("class: [[[1]]]", "class is a value or a list of values, nothing deeper"),
        ("raw: 1", "raw is true or false, not '1'"),
        ("raw: [true]", "raw is true or false, not ['true']"),
        ("alpha: 1\nalpha: 0.5", "run.yml, line 2: alpha is there twice; keep one of them"),
        ("heatmaps: true\nno_heatmaps: true", "line 2: no_heatmaps sets what run.yml, line 1: heatmaps sets"),
        ("trust-model: true", "lets code in the model file run, and a file cannot allow that by itself"),
        ("- a", "a run file is a mapping of options to values"),
        ("? [a]\n: 1", "run.yml, line 1: a key is the name of an option"),
        ("alpha: [1", "run.yml, line 1: not a run file in YAML"),
        (
            "a: 1\nb:\n\t- x",
            "line 3: not a run file in YAML: found character '\\t' that cannot start any token; indent",
        ),
        ("a: &x 1\nb: *x", "run.yml, line 2: not a run file in YAML: aliases are not read; write the value"),
        ("a: 1\n---\nb: 2", "not a run file in YAML"),
        ("a: \x07", "run.yml, line 1: not a run file in YAML: special characters are not allowed"),
        (b"a: 1\nb: caf\xe9", "run.yml, line 2: the file is not UTF-8 text; save it as UTF-8"),
        pytest.param("x: " + "[" * 5000 + "]" * 5000, "its values are nested too deeply for options", id="deep"),
        pytest.param("# " + "x" * MOST_BYTES, "is larger than 64 kB", id="large"),
        ("model_class: 2020-99-99", "run.yml: a value cannot be read"),
        ("labels: !!python/object/apply:os.mkdir [made]", "line 1: not a run file in YAML: tags are not read"),
        ("alpha: !!binary 0.5", "line 1: not a run file in YAML: tags are not read; write the value"),
        ("set: {rise.masks: 1, rise.masks: 2}", "line 1: set: rise.masks is there twice; keep one of them"),
        pytest.param(
            "feed: " + "{? " * 40 + "a" + "}" * 40, "line 1: feed has a key that is not a name", id="deep keys"
        ),
        ('labels: "a\\0b"', "labels has a character that no path and no command line can have: 'a\\x00b'"),
        pytest.param("class: " + "1" * 5000, "needs labels, but no labels were given", id="long number"),
        ("process: os.system", "process in a run file belong to model_class"),
    ],
)
def test_what_is_refused(desk, text, message):
    assert message in refused(desk, text, "run.yml", demo_model(), "photos", "--out", "out", "--preset", "inception")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"alpha": 1,\n "alpha": 2}', "run.json: alpha is there twice"),
        ('{"alpha":\n 1,,}', "run.json, line 2: not a run file in JSON"),
        ("[1]", "a run file is a mapping of options to values"),
        pytest.param("[" * 20000, "nested too deeply", id="deep"),
        pytest.param('{"class": ' + "[" * 900 + "]" * 900 + "}", "nested too deeply", id="deep list"),
        ('{"labels": "\\ud800"}', "labels has a character that no path and no command line can have"),
        ('{"alpha": null}', "run.json: alpha has no value"),
        ('{"alpha": true}', "run.json: alpha: 'true' is not a valid float"),
    ],
)
def test_what_is_refused_of_json(desk, text, message):
    assert message in refused(desk, text, "run.json", demo_model(), "photos", "--out", "out", "--preset", "inception")


def test_files_that_cannot_be_read(desk):
    assert "no such file: 'nowhere.yml'" in command("run", "--config", "nowhere.yml", code=2)
    assert "'/dev/zero' is not a regular file" in command("run", "--config", "/dev/zero", code=2)
    with pytest.raises(OptionError, match="run file '.*' cannot be read: Is a directory"):
        read_run_file(str(desk))
    assert read_run_file(str(write(desk / "empty.yml", ""))) == {}


def test_tags_are_no_code(desk):
    write(desk / "run.yml", START + "labels: !!python/object/apply:os.mkdir [made]\n")
    assert "line 6: not a run file in YAML: tags are not read" in command("run", "--config", "run.yml", code=2)
    write(desk / "run.yml", "model_class: !!python/object/apply:os.mkdir [made]\n")
    assert "tags are not read; write the value" in command("run", "--config", "run.yml", "--allow-code", code=2)
    assert not (desk / "made").exists()


def test_code_in_the_model_file_is_allowed_on_the_command_line_only(desk):
    write(desk / "run.yml", START + "trust_model: true\n")
    assert "add --trust-model to the command" in command("run", "--config", "run.yml", code=2)
    command("run", "--config", "run.yml", "--trust-model")


class TestWriteConfig:
    def test_it_repeats_the_run_byte_by_byte(self, desk):
        methods = ("--method", "occlusion", "--set", "occlusion.window=24", "--method", "gradcam", "--layer", "-2")
        values = ("--preset", "custom", "--mean", "1", "--scale", "1/127.5", "--no-heatmaps", "--box", "-q")
        words = ("--class", 1, "--top-k", 2, *methods, *values)
        command("run", demo_model(), "photos/a.png", "--out", "out", *words, "--write-config", "saved.yml")
        first = files(desk / "out")
        (desk / "out").rename(desk / "before")
        command("run", "--config", "saved.yml")
        assert files(desk / "out") == first
        text = (desk / "saved.yml").read_text()
        assert "\nscale: 1/127.5\n" in text
        assert "\nbox: true\n" in text
        assert "quiet" not in text

    def test_what_it_replaces_and_what_it_keeps(self, desk):
        words = (demo_model(), "photos/a.png", "--out", "out", "--preset", "inception", "--method", "gradcam")
        command("run", *words, "--write-config", "saved.yml")
        command("run", *words, "--class", 2, "--write-config", "saved.yml")
        assert "class" in (desk / "saved.yml").read_text()
        own = write(desk / "mine.yml", "alpha: 1\n")
        said = command("run", *words, "--config", "mine.yml", "--write-config", "mine.yml", code=2)
        assert "'mine.yml' exists and was not written by --write-config; it is kept, choose another name" in said
        assert own.read_text() == "alpha: 1\n"
        assert "cannot write the run file" in command("run", *words, "--write-config", "no/such/f.yml", code=2)
        os.mkfifo("pipe")  # opening it would wait for ever
        os.symlink("nowhere", "link")
        for name in ("pipe", "link", "photos"):
            said = command("run", *words, "--write-config", name, code=2)
            assert f"{name!r} exists and was not written by --write-config" in said

    def test_texts_that_look_like_numbers_come_back_as_they_were(self, desk):
        names = ["nan", "inf", "1e-05", "no", "1_000", "~", "0x10"]
        write(desk / "labels.txt", "\n".join(names))
        words = [word for name in names for word in ("--class", name)]
        chosen = ("--preset", "inception", "--method", "gradcam", "--labels", "labels.txt", *words)
        command("run", demo_model(), "photos/a.png", "--out", "out", *chosen, "--write-config", "saved.yml")
        first = files(desk / "out")
        (desk / "out").rename(desk / "before")
        command("run", "--config", "saved.yml")
        assert files(desk / "out") == first


def test_a_run_has_one_model(desk):
    write(desk / "run.yml", "model: [a, b]\nimages: photos\nout: out\n")
    assert "run.yml, line 1: model is one model" in command("run", "--config", "run.yml", code=2)


def test_options_without_the_file_are_as_before(desk):
    assert "Missing argument 'MODEL'" in command("run", code=2)
    assert "Missing argument 'IMAGES...'" in command("run", demo_model(), "--out", "out", "--preset", "raw", code=2)
    write(desk / "run.yml", "nonsense: 1")
    assert CliRunner().invoke(main, ["run", "--config", "run.yml", "--help"]).exit_code == 0
