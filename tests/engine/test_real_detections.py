"""Detections of a real detector on a photograph: each face has a box of its own, and its map lies there."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1 import Boxes, Detections, GradCamGraph, Region, method
from gradcam_tf1.images.image_files import read_image

PHOTO = "photos_faces/faces_solvay.jpg"
# the middles of six faces of the photograph, row and column
FACES = [(228, 93), (133, 294), (247, 434), (120, 640), (225, 824), (118, 900)]


def aizoo_anchors():
    """Five grids, two squares and two upright rectangles at each position: as the net's authors train it."""
    rows = []
    sizes = ((0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72))
    for side, (small, large) in zip((33, 17, 9, 5, 3), sizes):
        centres = (np.arange(side) + 0.5) / side
        shapes = [(small, small), (large, large)]
        shapes += [(small * ratio**0.5, small / ratio**0.5) for ratio in (0.62, 0.42)]
        rows += [(x, y, *shape) for y in centres for x in centres for shape in shapes]
    return np.array(rows, np.float32)


@pytest.fixture(scope="module")
def faces(models_dir):
    with GradCamGraph(models_dir / "pb/face_mask_detection_aizoo/face_mask_detection.pb", preset="zero-one") as net:
        yield net


def test_each_face_has_a_box_and_a_map_there(faces, models_dir):
    photo = read_image(str(models_dir / PHOTO))
    target = Detections(k=6, boxes=Boxes(anchors=aizoo_anchors()))
    found = list(faces.explain(photo, target, methods=method("odam", sigma=1)))
    assert len(found) >= 4
    middles = []
    for map in found:
        top, left, bottom, right = map.detection.box
        inside = [face for face in FACES if top < face[0] < bottom and left < face[1] < right]
        assert len(inside) == 1, map.detection
        middles += inside
        heat = np.maximum(map.placed(), 0)
        high, wide = bottom - top, right - left
        near = heat[int(max(top - high, 0)) : int(bottom + high), int(max(left - wide, 0)) : int(right + wide)]
        area = near.size / heat.size
        assert near.sum() / heat.sum() > 3 * area
    assert len(set(middles)) == len(middles)
    assert {map.class_id for map in found} == {1}  # no masks in 1927


def test_seg_xres_cam_between_hirescam_and_gradcam_on_deeplab(models_dir):
    """A region of a real segmentation: the window decides how local the map is."""
    photo = read_image(str(models_dir / "photos/soldiers.jpg"))
    with GradCamGraph(models_dir / "pb/deeplab_dm05_513/frozen_inference_graph.pb", fit="letterbox") as net:
        mask = np.zeros(photo.shape[:2], bool)
        mask[:, : photo.shape[1] // 2] = True
        maps = {}
        for window in (1, 8, 999):
            chosen = ["hirescam", "gradcam", method("segxrescam", window=window)]
            found = net.explain(photo, Region(1, mask=mask), methods=chosen)
            maps[window] = found["segxrescam"][0, 0]
    hires, grad = np.maximum(found["hirescam"][0, 0], 0), found["gradcam"][0, 0]
    scale = np.abs(hires).max()
    np.testing.assert_allclose(maps[1], hires, atol=1e-4 * scale)
    np.testing.assert_allclose(maps[999], grad, atol=1e-4 * np.abs(grad).max())
    assert np.abs(maps[8] - hires).max() > 0.01 * scale
    columns = hires.shape[1] // 2
    shares = [map[:, :columns].sum() / map.sum() for map in (maps[1], maps[8], maps[999])]
    assert shares[0] > shares[2]
    assert shares[1] > shares[2]
