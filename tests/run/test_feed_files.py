"""What the command line and a run feed: constants, files of arrays, tables, second images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import manifest, maps, run
from flat_options import grouped
from further_nets import gradcam_by_hand, noise, siamese, with_meta
from PIL import Image

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.run.input_rows import as_inputs, input_rows
from gradcam_tf1.run.input_tables import read_input_table

PRESET = ("--preset", "zero-one")
RAW = ("--method", "gradcam", "--raw", "--class", "2", "--no-heatmaps")
NAMES = ("a.png", "b.png", "c.png")
VALUES = ([0.5, -2], [1, 3], [-4, 0.25])
TABLE = "file,meta[0],meta[1]\n" + "".join(f"{name},{low},{high}\n" for name, (low, high) in zip(NAMES, VALUES))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Three images, three others of the same names, a net of image and numbers, one of two images."""
    folder = tmp_path_factory.mktemp("feeds")
    for part, seed in (("photos", 0), ("seconds", 7)):
        (folder / part).mkdir()
        for name, image in zip(NAMES, noise(3, seed=seed)):
            Image.fromarray(image).save(str(folder / part / name))
    for name, graph_def in (("meta.pb", with_meta()), ("siamese.pb", siamese())):
        (folder / name).write_bytes(graph_def.SerializeToString())
    (folder / "values.csv").write_text(TABLE)
    return folder


@pytest.fixture(scope="module")
def wanted(place):
    """The map of each image by nets that have its numbers baked in."""
    found = []
    for n, value in enumerate(VALUES):
        with GradCamGraph(load(with_meta(value)), preset="zero-one") as net:
            found.append(net.explain(noise(3)[n : n + 1], 2)["gradcam"][0, 0])
    return found


def written(out):
    """The raw maps of a run, by the names of their images."""
    return {line["relative"]: _raw(out, line) for line in manifest(out) if line["status"] == "ok"}


def _raw(out, line):
    with np.load(str(out / line["targets"][0]["maps"][0]["files"]["raw"])) as arrays:
        return arrays["map"]


def check(out, expected):
    found = written(out)
    assert sorted(found) == sorted(expected)
    for name, map in expected.items():
        np.testing.assert_allclose(found[name], map, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("value", ["[0.5,-2]", "[[0.5,-2]]", "@meta.npy"])
def test_a_constant_on_the_command_line(place, tmp_path, monkeypatch, wanted, value):
    monkeypatch.chdir(tmp_path)
    np.save("meta.npy", np.array(VALUES[0]))
    out = tmp_path / "out"
    run(place / "photos", out, "--feed", f"meta={value}", *RAW, preset=PRESET, model=place / "meta.pb")
    np.testing.assert_allclose(written(out)["a.png"], wanted[0], rtol=1e-4, atol=1e-8)
    assert len(maps(out)) == 3


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        TABLE.replace("\n", "\r\n").replace(",", ";").replace("meta", "meta:0"),
        "image\tmeta\na.png\t[0.5,-2]\n./b.png\t[1,3]\nc.png\t[-4,0.25]\nelse.png\t[0,0]\n",
        'x,meta\na.png,"[0.5, -2]"\nb.png,"[1, 3]"\nc.png,"[[-4, 0.25]]"\n',
    ],
)
def test_a_table_gives_each_image_its_own(place, tmp_path, wanted, text):
    (tmp_path / "values.csv").write_text(text)
    out = tmp_path / "out"
    options = ("--feed-file", tmp_path / "values.csv", *RAW, "--figure", "methods")
    run(place / "photos", out, *options, preset=PRESET, model=place / "meta.pb")
    check(out, dict(zip(NAMES, wanted)))


@pytest.mark.parametrize(
    "values",
    [
        lambda place: str(place / "values.csv"),
        lambda place: {"meta": dict(zip(NAMES, VALUES))},
        lambda place: {"meta:0": lambda file: VALUES["abc".index(file.relative[0])]},
        lambda place: {"meta": np.array(VALUES)},
        lambda place: {"meta": [list(value) for value in VALUES]},
    ],
)
def test_a_run_from_python_has_values_in_any_form(place, tmp_path, wanted, values):
    with GradCamGraph(str(place / "meta.pb"), preset="zero-one") as net:
        photos, out = str(place / "photos"), str(tmp_path)
        results = net.visualize_imgs(
            photos,
            out,
            targets=2,
            methods="gradcam",
            options=ExplainOptions(inputs=values(place)),
            style=Style(raw=True),
        )
    assert not results.failed
    check(tmp_path, dict(zip(NAMES, wanted)))


def test_an_image_without_a_row_fails_with_its_reason(place, tmp_path, wanted):
    (tmp_path / "values.csv").write_text("file,meta[0],meta[1]\na.png,0.5,-2\nb.png,,1\n")
    out = tmp_path / "out"
    options = ("--feed-file", tmp_path / "values.csv", *RAW)
    run(place / "photos", out, *options, preset=PRESET, model=place / "meta.pb", code=1)
    check(out, {"a.png": wanted[0]})
    errors = [line["error"] for line in manifest(out)]
    assert "has an empty cell for 'b.png'" in errors[1]
    assert "has no value for 'c.png'" in errors[2]


def test_a_value_that_does_not_fit_is_its_images_error(place, tmp_path, wanted):
    with GradCamGraph(str(place / "meta.pb"), preset="zero-one") as net:
        values = {"meta": {"a.png": VALUES[0], "b.png": [1, 2, 3], "c.png": "x"}}
        results = net.visualize_imgs(
            str(place / "photos"), str(tmp_path), methods="gradcam", options=ExplainOptions(inputs=values)
        )
    assert [result.ok for result in results] == [True, False, False]
    assert "feed for 'meta:0' has shape (3,), the tensor (2,)" in results[1].error
    assert "feed 'x' for 'meta:0' is not float32" in results[2].error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a header"),
        ("a.png,1\n", "needs a header"),
        ("file,meta\n", "needs a header"),
        ("file,meta\na.png\n", r"line 2: expected 2 cells, file, meta, got \['a.png'\]"),
        ("file,meta\na.png,1\n./a.png,2\n", "line 3: './a.png' already has values in line 2"),
        ("file,meta,meta\na.png,1,2\n", "two columns 'meta'"),
        ("file,meta[0],meta[2]\na.png,1,2\n", r"columns of 'meta' are not meta\[0\] to meta\[1\]"),
        ("file,meta[0],meta\na.png,1,2\n", "the columns of 'meta' are not"),
        ("file,meta\na.png,1;2\n", "line 2: '1;2' is not a value to feed"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, text, message):
    (tmp_path / "values.csv").write_text(text)
    with pytest.raises(OptionError, match=message):
        read_input_table(str(tmp_path / "values.csv"))


def test_what_names_no_image_is_refused_before_the_run(place, tmp_path):
    (tmp_path / "values.csv").write_text("file,meta[0],meta[1]\nx.png,1,2\n")
    options = ("--feed-file", tmp_path / "values.csv")
    text = run(place / "photos", tmp_path / "out", *options, preset=PRESET, model=place / "meta.pb", code=2)
    assert "has no value for any of the 3 images, which are 'a.png', 'b.png', 'c.png'" in text
    assert not (tmp_path / "out").exists()
    with pytest.raises(OptionError, match="is not one row for each of the 3 images; give these, a mapping"):
        input_rows({"meta": [1, 2]}, [None] * 3)
    with pytest.raises(OptionError, match="inputs is a mapping of tensor names to values"):
        as_inputs([1, 2])
    text = run(place / "photos", tmp_path / "out", preset=PRESET, model=place / "meta.pb", code=2)
    assert "need values for 'meta:0'" in text


# second images


def siamese_maps(firsts, seconds, explained="left", fed="right"):
    feed = {f"{explained}:0": firsts / 255.0, f"{fed}:0": seconds / 255.0}
    return dict(zip(NAMES, gradcam_by_hand(siamese(), feed, f"tower_{explained}/Relu:0", 2)))


def test_one_second_image_for_all(place, tmp_path):
    one = f"right=@{place / 'seconds' / 'a.png'}"
    run(place / "photos", tmp_path, "--feed", one, *RAW, preset=PRESET, model=place / "siamese.pb")
    check(tmp_path, siamese_maps(noise(3), np.repeat(noise(1, seed=7), 3, axis=0)))


@pytest.mark.parametrize(("explained", "fed"), [("left", "right"), ("right", "left")])
@pytest.mark.parametrize("named", [True, False])
def test_a_folder_of_second_images(place, tmp_path, explained, fed, named):
    options = ("--feed", f"{fed}=@{place / 'seconds'}", *(("--input", explained) if named else ()), *RAW)
    run(place / "photos", tmp_path, *options, preset=PRESET, model=place / "siamese.pb")
    check(tmp_path, siamese_maps(noise(3), noise(3, seed=7), explained, fed))


def test_a_missing_second_image_is_its_images_error(place, tmp_path):
    folder = tmp_path / "seconds"
    folder.mkdir()
    Image.fromarray(noise(3, seed=7)[0]).save(str(folder / "a.bmp"))
    (folder / "b.png").write_bytes(b"no image")
    out = tmp_path / "out"
    options = ("--feed", f"right=@{folder}", *RAW)
    run(place / "photos", out, *options, preset=PRESET, model=place / "siamese.pb", code=1)
    expected = siamese_maps(noise(3), noise(3, seed=7))
    check(out, {"a.png": expected["a.png"]})
    errors = [line["error"] for line in manifest(out)]
    assert "b.png" in errors[1]
    assert "has no image for 'c.png'" in errors[2]


def test_images_into_an_input_of_numbers_and_files_that_are_not_there(place, tmp_path):
    second = place / "seconds" / "a.png"
    text = run(
        place / "photos", tmp_path / "o", "--feed", f"meta=@{second}", preset=PRESET, model=place / "meta.pb", code=1
    )
    assert "no images fit" in manifest(tmp_path / "o")[0]["error"], text
    text = run(
        place / "photos", tmp_path / "p", "--feed", "meta=@no.npy", preset=PRESET, model=place / "meta.pb", code=2
    )
    assert "'no.npy' cannot be read: No such file" in text
    for content, message in ((b"\x93NUMPY\x01\0v\0", "is not an array"), (None, "is not an array")):
        path = tmp_path / "bad.npy"
        if content is None:
            np.save(str(path), np.array([{}], object), allow_pickle=True)
        else:
            path.write_bytes(content)
        text = run(
            place / "photos", tmp_path / "q", "--feed", f"meta=@{path}", preset=PRESET, model=place / "meta.pb", code=2
        )
        assert message in text


def test_what_was_fed_is_compared_on_resume(place, tmp_path):
    table = tmp_path / "values.csv"
    table.write_text(TABLE)
    with GradCamGraph(str(place / "meta.pb"), preset="zero-one") as net:

        def go(inputs, **options):
            return net.visualize_imgs(
                str(place / "photos"), str(tmp_path / "o"), methods="gradcam", **grouped(inputs=inputs, **options)
            )

        go(str(table))
        assert go(str(table), resume=True).complete
        table.write_text(TABLE.replace("-4", "4"))
        with pytest.raises(OptionError, match="cannot be resumed.*inputs_sha256 was"):
            go(str(table), resume=True)
    second = tmp_path / "second.png"
    for seed, code in ((7, 0), (8, 2)):
        Image.fromarray(noise(1, seed=seed)[0]).save(str(second))
        options = ("--feed", f"right=@{second}", "--method", "gradcam", "--resume")
        text = run(place / "photos", tmp_path / "s", *options, preset=PRESET, model=place / "siamese.pb", code=code)
    assert "inputs_sha256 was" in text
    settings = json.loads((tmp_path / "s" / "run.json").read_text())
    assert settings["inputs"] == ["right"]
