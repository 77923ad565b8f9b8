"""Explanations of every kind of input, with odd texts and numbers, to be stored and read back."""

from __future__ import annotations

import dataclasses

import numpy as np
from made_explanations import EMPTY, GRAY, hot_cell, one_explanation

from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.images.array_placement import ArrayPlacement
from gradcam_tf1.images.fitted_clips import ClipPlacement
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.labels import Labels
from gradcam_tf1.types import Cells

NASTY = ("<script>\n'\"&", "\ud800", "a, b", "", "\u732b" * 50)


def made(**changes):
    maps = {("gradcam", "a/Relu:0"): [hot_cell(1, 1), hot_cell(2, 2)], ("gradient", ""): np.ones((2, 8, 8, 3))}
    statuses = {("gradcam", "a/Relu:0"): [dataclasses.replace(EMPTY, notes=NASTY), EMPTY]}
    explanation = one_explanation(maps, statuses, class_ids=(3, -1), labels=Labels(list(NASTY), 1, "note"))
    fields = {"abouts": ("", NASTY[0]), "failures": (NASTY[1],), "images": (GRAY,)}
    fields["top"] = ((ClassScore(3, NASTY[0], 0.1, None), ClassScore(0, None, float("nan"), 1 / 3)),)
    fields["cells"] = {("gradcam", "a/Relu:0"): Cells((0.1, -3.0), (1 / 3, -2.0))}
    return dataclasses.replace(explanation, **{**fields, **changes})


SCORES = np.array([[np.nan, -np.inf]], np.float32)
OTHERS = {
    "nasty texts": {},
    "odd scores": {"scores": SCORES, "probabilities": np.array([[0.5, np.nan]], np.float32)},
    "fitted image": {"images": (None,)},
    "float image of six bands": {"images": (np.random.RandomState(0).rand(40, 60, 6),)},
    "no images": {"images": ()},
    "no labels": {"labels": None, "abouts": (), "failures": (), "top": ()},
    "a signal": {
        "maps": {("gradcam", "a"): np.ones((1, 2, 5), np.float32), ("gradient", ""): np.ones((1, 2, 9, 2), np.float32)},
        "placements": [ArrayPlacement((9,))],
        "cells": {("gradcam", "a"): Cells((0.5,), (2.0,))},
        "images": (),
    },
    "a volume": {
        "maps": {("gradcam", "a"): np.ones((1, 2, 5, 4, 3), np.float32)},
        "placements": [ArrayPlacement((9, 8, 7))],
        "cells": {},
        "images": (),
    },
    "a clip": {
        "maps": {("gradcam", "a"): np.ones((1, 2, 5, 4, 3), np.float32)},
        "placements": [ClipPlacement(Placement((40, 60), (8, 8), (0, 0, 40, 60), (0, 0, 8, 8)), 5)],
        "cells": {("gradcam", "a"): Cells((0.5, 1.0, 2.0), (1.0, 2.0, 3.0))},
        "images": (),
    },
}
