"""TCAV: a colour that the net uses and one that it does not, and a null that is simulated."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from concept_nets import concept_net

from gradcam_tf1 import TcavOptions, tcav
from gradcam_tf1.cli import main
from gradcam_tf1.concepts.concept_directions import concept_directions, fit_direction, random_directions
from gradcam_tf1.concepts.tcav_records import probability_by_chance, verdict_of
from gradcam_tf1.errors import GradientError, OptionError, TargetError

# reddish depends on red (and on nothing else), greenish on what blue alone has
HEAD = np.zeros((5, 4), np.float32)
HEAD[0, 0], HEAD[2, 1], HEAD[4, 2] = 3, 2, 1


def noise(folder, count, seed, weights=(1, 1, 1), add=(0, 0, 0)):
    """Images of random cells, some with more of a colour everywhere."""
    random = np.random.RandomState(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        cells = random.uniform(20, 120, (8, 8, 3)) * np.array(weights) + np.array(add)
        pixels = np.repeat(np.repeat(np.rint(cells).astype(np.uint8), 4, axis=0), 4, axis=1)
        cv2.imwrite(str(folder / f"n{number:03d}.png"), pixels[..., ::-1])
    return str(folder)


@pytest.fixture(scope="module")
def planted():
    with concept_net(HEAD) as net:
        yield net


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("tcav")
    return {
        "images": noise(base / "images", 20, 1),
        "red": noise(base / "red", 60, 2, add=(120, 0, 0)),
        "same": noise(base / "same", 60, 3),
        "plain": noise(base / "plain", 60, 4),
        "other": noise(base / "other", 30, 5),
        "few": noise(base / "few", 14, 6),
    }


def test_a_colour_that_the_net_uses_is_significant(planted, folders, tmp_path):
    out = str(tmp_path / "out")
    found = tcav(
        planted, folders["images"], folders["red"], folders["plain"], "reddish", out, options=TcavOptions(pooled=True)
    )
    (red,) = found.classes
    assert red.score == 1
    assert red.p < 0.05
    assert red.verdict == "significant"
    assert found.accuracy > 0.95
    assert len(red.scores) == 12
    assert found.size == 5
    assert found.counts == {"images": 20, "positive": 60, "negative": 60}
    stored = json.loads((tmp_path / "out" / "tcav.json").read_text())
    assert stored["classes"][0]["score"] == 1
    assert stored["classes"][0]["verdict"] == "significant"
    lines = (tmp_path / "out" / "tcav.csv").read_text().splitlines()
    assert len(lines) == 1 + 12 + 50
    assert lines[1] == "0,reddish,concept,1,1"
    page = (tmp_path / "out" / "tcav.html").read_text()
    assert "The logit of reddish rises along the concept for 100% of the images" in page


def test_scores_are_those_of_the_head(planted, folders):
    """The gradient by the pooled features is the head's column, so a vector's score is 1 if it points along it."""
    found = tcav(planted, folders["images"], folders["red"], folders["plain"], [1, 2], options=TcavOptions(pooled=True))
    for each in found.classes:
        np.testing.assert_array_equal(each.scores, found.vectors @ HEAD[:, each.class_id] > 0)


def test_a_class_without_the_colour_is_not_significant(planted, folders):
    """`greenish` depends on green alone, and red images have as much green as the others."""
    verdicts = [
        tcav(
            *(planted, folders["images"], folders["red"], [folders["plain"], folders["other"]], "greenish"),
            options=TcavOptions(pooled=True, seed=seed),
        )
        for seed in range(4)
    ]
    assert [found.classes[0].verdict for found in verdicts].count("not significant") >= 3
    assert all(found.accuracy > 0.95 for found in verdicts)


def test_images_that_do_not_differ_show_no_concept(planted, folders):
    found = tcav(planted, folders["images"], folders["same"], folders["plain"], "reddish")
    assert found.classes[0].verdict == "no concept"
    assert found.accuracy < 0.7


def test_a_fall_is_found_too(folders):
    with concept_net(-HEAD) as net:
        found = tcav(
            net, folders["images"], folders["red"], folders["plain"], "reddish", options=TcavOptions(pooled=True)
        )
    assert found.classes[0].score == 0
    assert found.classes[0].verdict == "significant"


def test_a_direction_is_the_normal_towards_the_positive_images():
    random = np.random.RandomState(0)
    negative, positive = random.randn(200, 4), random.randn(200, 4) + np.array([8, 0, 0, 0])
    found = fit_direction(positive, negative, (positive, negative))
    assert found.vector[0] > 0.98
    assert np.linalg.norm(found.vector) == pytest.approx(1)
    assert found.accuracy > 0.99


def test_a_concept_that_is_not_used_is_rarely_significant():
    """A linear class with no weight on the concept: scores are 0 or 1, by the noise of each vector."""
    found = []
    for seed in range(20):
        random = np.random.RandomState(seed)
        negative, positive = random.randn(60, 12), random.randn(60, 12)
        positive[:, 0] += 6
        grads = np.concatenate([[0], random.randn(11)])
        concept, size = concept_directions(positive, negative, seed)
        others = random_directions([negative], size, seed)
        scores, random_scores = ([float(grads @ each.vector > 0) for each in part] for part in (concept, others))
        found.append(probability_by_chance(np.array(scores), np.array(random_scores), 1) < 0.05)
    assert sum(found) <= 3  # 1 of 20 is expected


def test_vectors_of_a_concept_share_no_image(monkeypatch):
    seen = []

    def record(positive, negative, others):
        seen.append((set(positive[:, 0]), set(negative[:, 0])))
        assert seen[-1][0].isdisjoint(others[0][:, 0])
        assert len(others[0]) == 37 - len(positive)

    monkeypatch.setattr("gradcam_tf1.concepts.concept_directions.fit_direction", record)
    found, size = concept_directions(np.arange(37.0)[:, np.newaxis], np.arange(90.0)[:, np.newaxis], 0)
    assert (len(found), size) == (7, 5)
    for part in (0, 1):
        assert len(set.union(*(each[part] for each in seen))) == 35


def test_probabilities():
    random = np.random.RandomState(0)
    assert probability_by_chance(np.ones(3), np.repeat([0.0, 1.0], 25), 1) > 0.05  # the t-test alone says 1e-8
    assert probability_by_chance(np.ones(12), np.repeat([0.0, 1.0], 25), 1) < 0.01
    assert probability_by_chance(random.rand(9), random.rand(50), 1) > 0.05
    assert probability_by_chance(np.zeros(4), np.zeros(9), 1) == 1
    two = [probability_by_chance(random.rand(9) + 0.4, random.rand(50), tests) for tests in (1, 1)]
    assert max(two) < 0.2
    scores, others = random.rand(9) + 0.3, random.rand(50)
    once = probability_by_chance(scores, others, 1)
    assert probability_by_chance(scores, others, 3) == pytest.approx(min(1, 3 * once))
    assert [verdict_of(0.01, 0.9), verdict_of(0.2, 0.9), verdict_of(0.01, 0.6)] == [
        "significant",
        "not significant",
        "no concept",
    ]


def test_what_is_refused(planted, folders):
    images, red, plain, few = (folders[name] for name in ("images", "red", "plain", "few"))
    with pytest.raises(OptionError, match="the test needs 15 positive images or more, and has 14: 3 vectors of 5"):
        tcav(planted, images, few, plain, 0)
    with pytest.raises(OptionError, match="needs 15 negative images or more, and has 14"):
        tcav(planted, images, red, few, 0)
    with pytest.raises(OptionError, match="there are no negative images"):
        tcav(planted, images, red, [], 0)
    with pytest.raises(TargetError, match="give one class by id or name"):
        tcav(planted, images, red, plain, None)
    with pytest.raises(GradientError, match="gradient of 'all' at 'features:0' is zero for all images"):
        tcav(planted, images, red, plain, "all")
    with pytest.raises(OptionError, match=r"give options=TcavOptions\(...\)"):
        tcav(planted, images, red, plain, 0, options=None)
    with pytest.raises(OptionError, match="pooled is True or False, not 1"):
        TcavOptions(pooled=1)
    with pytest.raises(OptionError, match="most_images is at least 15, not 3"):
        TcavOptions(most_images=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--negative", "x"], "add --positive DIR"),
        (["--positive", "x", "--class", "1"], "takes --positive DIR, --negative DIR and --class NAME together"),
        (["--positive", "x", "--negative", "y", "--class", "1", "--crop", "0.5"], "--crop is of a search"),
        (["--method", "craft", "--class", "1", "--class", "2"], "give --class once"),
        (["--layer", "-1", "--layer", "-2"], "give --layer once"),
        (["--designs", "32"], "--designs is of craft; add --method craft, or leave it out"),
        (["--method", "craft", "--designs", "12"], "designs is a power of two, not 12"),
        (["--class", "1"], "dff looks at the images of all classes"),
        (
            ["--positive", "x", "--negative", "y", "--class", "1", "--n-images", "3"],
            "most_images is at least 15, not 3",
        ),
        (["--feed-file", "x.csv"], "concepts feeds one value for all images"),
    ],
)
def test_options_of_the_command_that_do_not_fit(options, message):
    result = CliRunner().invoke(main, ["concepts", "net.pb", "photos", *options])
    assert result.exit_code == 2
    assert message in result.output


def test_the_command_prints_the_test(folders, tmp_path):
    from gradcam_tf1.nets.demo import demo_model

    words = ["concepts", demo_model(), folders["images"], "--preset", "inception", "--class", "1", "--class", "2"]
    given = ["--positive", folders["red"], "--negative", folders["plain"], "--negative", folders["other"]]
    result = CliRunner().invoke(main, [*words, *given, "--out", str(tmp_path / "out"), "--n-images", "20"])
    assert result.exit_code == 0, result.output
    assert "vectors at conv5/Relu:0, accuracy" in result.output
    assert "probability by chance" in result.output
    assert (tmp_path / "out" / "tcav.html").exists()
