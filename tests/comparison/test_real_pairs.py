"""Two pairs of real nets: what is nearly the same agrees more than what was trained apart."""

from __future__ import annotations

import pytest

from gradcam_tf1 import CompareOptions, GradCamGraph, compare_nets

LABELS = ("labels/mobilenet_v1_labels_1001.txt", "labels/synset.txt")
PAIRS = {
    "8 bits and Keras": (
        ("pb/mobilenet_v1_0.75_224/quantized_graph.pb", LABELS[0]),
        ("derived/mobilenet_v1_0.75_224_keras/saved_model", LABELS[1]),
    ),
    "other sizes": (
        ("pb/mobilenet_v1_0.25_224/frozen_graph.pb", LABELS[0]),
        ("pb/mobilenet_v1_0.25_128_2018/mobilenet_v1_0.25_128_frozen.pb", LABELS[0]),
    ),
}


@pytest.fixture(scope="module")
def compared(models_dir):
    names = ("goldfish.jpg", "zebra.jpeg", "bear.jpg", "llama.jpeg")
    photos = [str(models_dir / "photos" / name) for name in names]

    def open_net(path, labels):
        return GradCamGraph(str(models_dir / path), preset="inception", labels=str(models_dir / labels))

    found = {}
    for name, (first, second) in PAIRS.items():
        with open_net(*first) as a, open_net(*second) as b:
            found[name] = compare_nets(a, b, photos, options=CompareOptions(shown=0))
    return found


def test_names_match_1001_classes_and_1000(compared):
    found = compared["8 bits and Keras"]
    assert any("lacks: 1 of A, 0 of B" in note for note in found.notes)
    assert found.scores["class_agreement"].mean >= 0.75
    for row in found.rows:
        assert row["class_a"] == row["class_b"] + 1 or not row["same_class"]


def test_maps_of_a_converted_net_are_nearer_than_those_of_another_net(compared):
    near, far = (compared[name].maps["gradcam"]["same"] for name in PAIRS)
    assert near["spearman"].mean > 0.95
    for name in ("spearman", "ssim", "iou"):
        assert near[name].mean > far[name].mean + 0.05
    assert far["spearman"].mean > 0.3  # other sizes, but the same objects
