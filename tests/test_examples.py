"""Every script in examples/ runs from another folder, on the demo net, and comes to a result that can be checked."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from gradcam_tf1 import METHODS, read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_scenes
from gradcam_tf1.tf_runtime import IS_TF2

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def example(name: str, folder: Path = EXAMPLES):
    spec = importlib.util.spec_from_file_location(f"example_{name}", str(folder / f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def manifest(out: str):
    return [json.loads(line) for line in Path(out, "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_example_is_short_and_has_a_test_here():
    here = Path(__file__).read_text(encoding="utf-8")
    for path in sorted(EXAMPLES.glob("*.py")):
        assert f'example("{path.stem}")' in here, f"{path.name} has no test"
        assert len(path.read_text(encoding="utf-8").splitlines()) < 50, path.name


def test_every_example_imports_from_the_top():
    for path in sorted(EXAMPLES.glob("*.py")):
        inside = re.findall(r"(?m)^from (gradcam_tf1\.(?!nets\b)\S+)", path.read_text(encoding="utf-8"))
        assert not inside, f"{path.name} imports {inside}"


def test_frozen_graph_folder():
    results = example("frozen_graph_folder").main()
    lines = manifest("out/folder")
    assert len(results) == len(lines) == len(demo_scenes())
    known = [DEMO_CLASSES[result.predicted] in scene.boxes for result, scene in zip(results, demo_scenes())]
    assert sum(known) >= len(known) - 1  # the net is small, not perfect
    for line in lines:
        files = [path for map_ in line["targets"][0]["maps"] for path in map_["files"].values()]
        assert len(files) >= 2
        assert all(Path("out/folder", path).stat().st_size > 100 for path in files)


def test_subclass_hooks_agree_with_automatic_binding():
    by_hand = example("subclass_hooks").main()
    assert [result.labels for result in by_hand] == [["star", "ring"]] * len(demo_scenes())
    automatic = example("frozen_graph_folder").main()
    assert by_hand.tolist() == automatic.tolist()
    for result, scene in zip(by_hand, demo_scenes()):
        present = [label in scene.boxes for label in result.labels]
        assert [score > 0 for score in result.scores] == present, result.source


def test_old_style_gives_the_array_of_predicted_classes():
    predicted = example("old_style").main()
    assert np.array_equal(np.asarray(predicted), np.asarray(example("frozen_graph_folder").main()))
    assert np.asarray(predicted).dtype == np.int64
    assert 0 <= np.min(predicted) <= np.max(predicted) < len(DEMO_CLASSES)


@pytest.mark.skipif(not IS_TF2, reason="a SavedModel of TensorFlow 2")
def test_retire_tf1_model():
    found = example("retire_tf1_model").main()
    assert found.agrees
    assert found.images == len(demo_scenes())
    assert found.maps["gradcam"]["same"]["spearman"].mean > 0.9999
    assert Path("out/comparison/comparison.html").stat().st_size > 10_000


def test_from_session_leaves_the_graph_alone(capsys):
    explanation = example("from_session").main()
    assert "0 ops were added to your graph" in capsys.readouterr().out
    assert explanation.class_ids.tolist() == [[0, 3], [0, 3]]
    assert explanation["gradcam"].shape == (2, 2, 16, 16)
    assert explanation.map("gradcam", 0).placed().shape == demo_scenes()[0].size


def test_custom_targets_light_up_the_right_objects():
    assert example("custom_targets").main() >= 0.9


def inside(map, box) -> bool:
    heat = map.placed()
    row, column = np.unravel_index(np.argmax(heat), heat.shape)
    top, left, bottom, right = box
    return bool(map.status == "ok" and top <= row < bottom and left <= column < right)


def test_segmentation_explains_the_pixels_of_the_object():
    explanation = example("segmentation").main()
    scenes = demo_scenes()
    assert len(explanation) == 2 * len(scenes)
    assert sum(inside(map, scenes[map.n].boxes[map.label]) for map in explanation) >= len(explanation) - 2
    assert set(explanation.abouts) == {"region"}


def test_segmentation_of_a_real_net(models_dir):
    model = models_dir / "pb/deeplab_dm05_513/frozen_inference_graph.pb"
    explanation = example("segmentation").main(str(model), str(models_dir / "photos/soldiers.jpg"), "1")
    (map,) = explanation
    assert map.status == "ok"
    assert map.score > 0  # the net finds people there


def test_detector_anchors_look_at_what_they_detect():
    explanation = example("detector").main()
    scenes = demo_scenes()
    best, other = ([map for map in explanation if map.t == t] for t in (0, 1))
    assert all(inside(map, scenes[map.n].boxes[map.label]) for map in best)
    for map in other:  # anchor 100 of 12 x 16 is row 6, column 4, and it sees the nine positions around
        rows, columns = np.nonzero(map.values)
        assert set(rows) <= {5, 6, 7}
        assert set(columns) <= {3, 4, 5}
    assert any(map.status == "ok" for map in other)


def test_detector_of_a_real_net(models_dir):
    model = models_dir / "pb/face_mask_detection_aizoo/face_mask_detection.pb"
    photo = models_dir / "photos_faces/faces_solvay.jpg"
    (map,) = example("detector").main(str(model), str(photo), "1", "zero-one")
    assert map.status == "ok"
    assert map.score > 0.9  # a face without a mask


def test_comparing_layers_finds_the_deep_ones_better():
    means = example("comparing_layers").main("layers.png")
    names = [f"conv{number}/Relu:0" for number in range(1, 6)]
    assert list(means) == names
    assert max(means[name] for name in names[:3]) < 0.5 < min(means[name] for name in names[3:])
    assert read_image("layers.png").shape[1] > 1000


def test_custom_method_is_one_of_the_methods(capsys):
    with mock.patch.dict(METHODS):
        results = example("custom_method").main()
    assert "the largest difference is 0" in capsys.readouterr().out
    for result, scene in zip(results, demo_scenes()):
        first, own = result.maps
        assert (first.method, own.method) == ("layercam", "sharpcam")
        top, left, bottom, right = scene.boxes[result.labels[0]]
        assert top <= own.peak[0] < bottom and left <= own.peak[1] < right  # noqa: PT018


def test_vgg19_folder_with_small_weights(capsys):
    from gradcam_tf1.nets.vgg_layers import random_weights

    layers = random_weights(19, classes=10, width=1 / 32).layers
    np.savez("vgg19.npz", **{f"{name}/{part}": pair[i] for name, pair in layers.items() for i, part in enumerate("Wb")})
    photo = demo_scenes()[0]
    results = example("vgg19_folder").main("vgg19.npz", photo.path, "out")
    (line,) = manifest("out")
    assert 0 <= results[0].predicted < 10
    assert {map_["layer"] for map_ in line["targets"][0]["maps"]} >= {"conv5_4/Relu:0"}


def test_config_run_repeats_itself():
    names = example("config_run").main()
    first, again = Path("out/config"), Path("out/again")
    assert len(names) == 2 + 2 * 2 * 2  # classes, methods and layers; the manifest and the settings
    for name in set(names) - {"run.json"}:  # which has the times of the run
        assert (first / name).read_bytes() == (again / name).read_bytes(), name


def test_training_writes_maps_of_each_step_for_tensorboard():
    from event_files import images_of

    example("training_tensorboard").main("logs", "4")
    every = (("logs/hook", {1, 2, 3, 4}), ("logs/listener", {0, 1, 2, 3, 4}), ("logs/callback", set(range(1, 9))))
    for folder, steps in every:
        found = images_of(folder)
        assert {step for shown in found.values() for step, _ in shown} == steps
        assert {tag.split("/")[2] for tag in found} == {"scene_00", "scene_01", "scene_02"}
        assert {tag.split("/")[3] for tag in found} <= set(DEMO_CLASSES)
        for tag, shown in found.items():
            size = demo_scenes()[int(tag.split("/")[2][-2:])].size
            assert all(image.shape == (*size, 3) for _, image in shown)
