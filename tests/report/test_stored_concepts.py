"""Concepts in the folder of a run: what its report shows of them, before and after, and of files that were changed."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from concept_nets import concept_net, mosaics

from gradcam_tf1 import ConceptOptions, TcavOptions, find_concepts, read_image, tcav, write_report
from gradcam_tf1.errors import OptionError


def told(out, name="concepts"):
    """What a script hands to the page."""
    text = (out / "report" / f"{name}.js").read_text(encoding="ascii")
    start = f'gradcam.receive("{name}",'
    assert text.startswith(start)
    return json.loads(text[len(start) : -len(");\n")])


def search(net, folder, out):
    return find_concepts(net, str(folder), str(out), options=ConceptOptions(concepts=3, shown=2))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of images, a run of them, the same with concepts, and what was found."""
    base = tmp_path_factory.mktemp("made")
    mosaics(base / "in", 5)
    with concept_net() as net:
        net.visualize_imgs(str(base / "in"), str(base / "run"), methods="gradcam")
        shutil.copytree(base / "run", base / "both")
        found = search(net, base / "in", base / "both")
        yield {"net": net, "in": base / "in", "run": base / "run", "both": base / "both", "found": found}


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made["run"], tmp_path / "out") and tmp_path / "out"


@pytest.fixture
def both(made, tmp_path):
    return shutil.copytree(made["both"], tmp_path / "out") and tmp_path / "out"


def test_the_page_of_the_report_has_the_concepts(made, both):
    found = made["found"]
    assert found.page == str(made["both"] / "report" / "index.html")
    assert told(made["both"], "index")["concepts"] is None
    shown = told(made["both"])
    assert shown["test"] is None
    assert [each["share"] for each in shown["found"]["concepts"]] == [each.share for each in found.concepts]
    assert [each["images"] for each in shown["found"]["concepts"]] == [list(each.images) for each in found.concepts]
    assert shown["found"]["other_model"] is False
    assert shown["found"]["image_count"] == 5
    assert [each["image"] for each in shown["found"]["images"]] == ["m000.png", "m001.png"]
    write_report(str(both))  # of a run whose concepts were there before
    assert told(both) == shown


def test_the_pictures_are_those_of_the_images(made):
    shown = told(made["both"])["found"]
    top, crops = shown["concepts"][0]["images"][0], shown["concepts"][0]["crops"]
    assert crops["size"] == [160, 160]
    strip = read_image(str(made["both"] / "report" / crops["url"]))
    assert strip.shape == (160, 160 * 5, 3)
    # the first crop, around the cell where the concept is highest, is a part of its image, enlarged 16 times
    image = read_image(str(made["in"] / top)).astype(int)
    small = strip[8::16, 8:160:16].astype(int)
    places = [np.abs(image[r : r + 10, c : c + 10] - small).mean() for r in range(23) for c in range(23)]
    assert min(places) < 12 < np.median(places)
    figure = shown["images"][1]["figure"]
    assert figure["size"] == [32, 32]
    second = read_image(str(made["both"] / "report" / figure["url"]))
    np.testing.assert_array_equal(second[:, :32], read_image(str(made["in"] / "m001.png")))


def test_a_report_that_is_there_keeps_its_title_and_truth(made, run, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("image,label\nm000.png,reddish\n")
    write_report(str(run), truth=str(truth), title="Mine")
    index = (run / "report" / "index.js").read_bytes()
    assert told(run) is None
    search(made["net"], made["in"], run)
    assert told(run)["found"]["layer"] == "features:0"
    assert (run / "report" / "index.js").read_bytes() == index
    assert told(run, "index")["title"] == "Mine"


def test_a_folder_without_a_run_gets_a_page_that_stands_alone(made, tmp_path):
    found = search(made["net"], made["in"], tmp_path / "alone")
    assert found.page == str(tmp_path / "alone" / "concepts.html")
    assert not (tmp_path / "alone" / "report").exists()


def test_another_programs_report_is_refused_before_the_search(made, run):
    (run / "report").mkdir()
    (run / "report" / "theirs.txt").write_text("theirs")
    with pytest.raises(OptionError, match="report' was not written by this toolkit"):
        search(made["net"], made["in"], run)
    assert not (run / "concepts.json").exists()
    assert os.listdir(run / "report") == ["theirs.txt"]


def test_concepts_of_another_model_say_so(both):
    stored = json.loads((both / "concepts.json").read_text())
    stored["settings"]["model_sha256"] = "0" * 64
    (both / "concepts.json").write_text(json.dumps(stored))
    write_report(str(both))
    assert told(both)["found"]["other_model"] is True


def test_one_file_has_the_pictures_inside(both):
    page = write_report(str(both), single_file=True)
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert "../concept_images" not in text
    assert text.count("data:image/jpeg;base64,") == 2 * 5 + 3 + 2  # preview and thumb of an image, crops, figures


def broken(change):
    def apply(out):
        stored = json.loads((out / "concepts.json").read_text())
        change(stored)
        (out / "concepts.json").write_text(json.dumps(stored))

    return apply


@pytest.mark.parametrize(
    "damage",
    [
        lambda out: (out / "concepts.json").write_text("{"),
        broken(lambda stored: stored.pop("concepts")),
        broken(lambda stored: stored["concepts"][0].update(share="much")),
        broken(lambda stored: stored["concepts"][0].update(rgb=["red", 0, 0])),
        broken(lambda stored: stored["concepts"][0]["crops"].update(file="../in/m000.png")),
        broken(lambda stored: stored["images"][0]["figure"].update(size=[0, 4])),
        broken(lambda stored: stored["settings"].pop("model_sha256")),
    ],
)
def test_what_was_changed_is_not_shown(both, damage):
    assert told(both) is not None
    damage(both)
    write_report(str(both))
    assert told(both) is None


def test_a_picture_outside_of_the_folder_is_not_shown(made, both):
    (both / "concept_images" / "image_00001.png").unlink()
    (both / "concept_images" / "image_00001.png").symlink_to(made["in"] / "m000.png")
    (both / "concept_images" / "concept_01.png").unlink()
    write_report(str(both))
    shown = told(both)["found"]
    assert [each["image"] for each in shown["images"]] == ["m001.png"]
    assert shown["concepts"][0]["crops"] is None
    assert shown["concepts"][1]["crops"] is not None


def test_a_tested_concept_joins_the_page(made, both, tmp_path):
    """The head's first column is red alone, so the logit of reddish rises with red."""
    mosaics(tmp_path / "red", 60, seed=1, weights=(1, 0.4, 0.4))
    mosaics(tmp_path / "plain", 60, seed=2, weights=(0.4, 0.4, 0.4))
    images = [str(tmp_path / name) for name in ("red", "plain")]
    found = tcav(made["net"], str(made["in"]), *images, "reddish", str(both), options=TcavOptions(pooled=True))
    assert found.page == str(both / "report" / "index.html")
    shown = told(both)
    assert shown["found"] is not None
    (red,) = shown["test"]["classes"]
    assert red["sentence"].startswith("The logit of reddish rises along the concept for 100% of the images")
    assert (red["score"], red["verdict"]) == (1, "significant")
    assert red["random_spread"] == found.classes[0].random_scores.std()
    assert (shown["test"]["positive"], shown["test"]["negative"]) == tuple(images)
    assert shown["test"]["vectors"] == len(found.accuracies)
