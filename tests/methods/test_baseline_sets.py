"""Sets of baselines: names, files, arrays, on the command line, and what the live page may not give."""

from __future__ import annotations

import numpy as np
import pytest
from command_line import command
from PIL import Image as Picture
from test_baselines import Image

from gradcam_tf1 import GradCamGraph, evaluate, method
from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.given_images import as_image
from gradcam_tf1.methods.baseline_files import BaselineFiles
from gradcam_tf1.methods.baseline_sets import BaselineSet, baseline_inputs, baselines_option, count_of
from gradcam_tf1.methods.masking import check_baselines
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.serve.question import read_question

SCENE = demo_scenes()[0].path


@pytest.fixture
def folder(tmp_path):
    """Three images of one colour each: 10, 20 and 30."""
    for level in (10, 20, 30):
        Picture.fromarray(np.full((9, 14, 3), level, np.uint8)).save(tmp_path / f"{level}.png")
    return tmp_path


def levels(found):
    return [float(each.mean() * 255) for each in found]


def image(shape=(20, 30, 3)):
    return Image(np.random.RandomState(0).uniform(0, 255, shape).astype(np.float32))


@pytest.mark.parametrize("given", ["black,white", "black, white", ["black", "white"], ["black", 255], [0, "white"]])
def test_names_and_gray_levels(given):
    np.testing.assert_allclose(levels(baseline_inputs(image(), given)), [0, 255], rtol=1e-5)
    assert count_of(given) == 2


def test_files_are_stretched_to_the_input(folder):
    found = baseline_inputs(image(), str(folder))
    assert found.shape == (3, 20, 30, 3)
    np.testing.assert_allclose(levels(found), [10, 20, 30], rtol=1e-5)
    mixed = [str(folder / "20.png"), "white", np.full((2, 20, 30, 3), 7.0)]
    np.testing.assert_allclose(levels(baseline_inputs(image(), mixed)), [20, 255, 7, 7], rtol=1e-5)
    assert (count_of(str(folder)), count_of(mixed)) == (3, 4)


def test_a_folder_without_images_is_an_error(tmp_path):
    for ask in (count_of, lambda given: baseline_inputs(image(), given)):
        with pytest.raises(OptionError, match="baselines: no image"):
            ask(str(tmp_path))


def test_a_question_reads_each_file_once(folder, tmp_path_factory, monkeypatch):
    """However many images, methods and batches it has."""
    read = []

    def counted(path, **more):
        read.append(path)
        return as_image(path, **more)

    monkeypatch.setattr("gradcam_tf1.methods.baseline_files.as_image", counted)
    asked = [method(name, baselines=str(folder), samples=3) for name in ("expected_gradients", "gradient_shap")]
    scenes = [scene.path for scene in demo_scenes()[:3]]
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, batch_size=1) as net:
        net.explain(scenes, methods=asked)
        assert len(read) == 3
        net.visualize_imgs(scenes, str(tmp_path_factory.mktemp("out")), methods=asked)
        assert len(read) == 6
        found = evaluate(net, scenes, methods=[asked[0]], metrics=["average_drop"])
        assert len(read) == 9
    assert found.methods == ("expected_gradients",)


def test_files_beyond_the_memory_for_them_are_read_again(folder, monkeypatch):
    monkeypatch.setattr("gradcam_tf1.methods.baseline_files._KEPT_BYTES", 9 * 14 * 3 * 2)
    files = BaselineFiles(str(folder))
    for _ in range(2):
        np.testing.assert_allclose([each.mean() for each in files.images((4, 5, 3))], [10, 20, 30], rtol=1e-5)
    (folder / "30.png").unlink()
    with pytest.raises(ImageFileError, match="30.png"):
        files.images((4, 5, 3))


def test_a_file_that_is_no_image_is_the_fault_of_the_option(folder):
    """And not of the image that is explained, with which a run would go on to the next one."""
    (folder / "b.png").write_bytes(b"no image")
    with pytest.raises(OptionError, match="baselines: .*b.png' is not an image in a known format"):
        baseline_inputs(image(), str(folder))


def test_paths_are_for_nets_that_take_images(folder):
    with pytest.raises(OptionError, match="are for nets that take images; give an array"):
        baseline_inputs(image((20, 3)), str(folder))


def test_too_many_files_are_refused_before_any_is_read(tmp_path):
    for number in range(257):
        (tmp_path / f"{number}.png").write_bytes(b"")
    with pytest.raises(OptionError, match="has 257 images; give 1 to 256 baselines"):
        baseline_inputs(image(), str(tmp_path))


def test_values_out_of_range_are_refused():
    with pytest.raises(OptionError, match="the baseline of deepshap has values 300 to 300"):
        check_baselines({"deepshap": {"baselines": ["black", 300]}})


def test_signals_have_no_colours():
    option = baselines_option()
    assert isinstance(option, BaselineSet)
    assert [option.is_image(value) for value in ("black", "zero, white", "zero,mean", 3)] == [True, True, False, False]


def test_the_live_page_reads_no_files(folder):
    asked = [("method", "deepshap"), ("deepshap.baselines", str(folder))]
    with pytest.raises(OptionError, match="deepshap.baselines is .*; here it is names of .*, not a path"):
        read_question(asked, None)
    question = read_question([asked[0], ("deepshap.baselines", "black,white")], None)
    assert question.methods == [method("deepshap", baselines="black,white")]


def test_a_folder_on_the_command_line_is_the_same_set(folder, tmp_path):
    out = tmp_path / "out"
    options = ["--method", "deepshap", "--set", f"deepshap.baselines={folder}", "--raw", "--class", "1"]
    command("run", demo_model(), SCENE, "--out", out, "--preset", DEMO_PRESET, *options)
    (stored,) = out.rglob("*.npz")
    with np.load(str(stored)) as arrays:
        found = arrays["map"]
    sets = np.stack([np.full((96, 128, 3), level, np.float32) for level in (10, 20, 30)])
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        expected = net.explain(SCENE, 1, method("deepshap", baselines=sets)).map("deepshap").values
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
