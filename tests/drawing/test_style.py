"""Styles of drawing: exact pixels on maps made by hand, and every wrong option is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.drawing.overlay import colorize
from gradcam_tf1.drawing.style import STYLES, Style, draw, outlined
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import Placement

SIZE = (40, 60)
WHOLE = Placement(SIZE, (8, 8), (0, 0, *SIZE), (0, 0, 8, 8))
PART = Placement(SIZE, (8, 8), (0, 10, 40, 50), (0, 0, 8, 8))
PHOTO = np.random.RandomState(0).randint(0, 256, (*SIZE, 3)).astype(np.uint8)
HALVES = np.repeat(np.where(np.arange(60) < 20, 1.0, 0.1)[np.newaxis], 40, axis=0).astype(np.float32)


def drawn(map, placement=WHOLE, **style):
    return draw(PHOTO, map, placement, "layer", Style(**style))


def colour(value, colormap="jet"):
    return colorize(np.full((1, 1), value, np.float32), colormap)[0, 0].tolist()


def test_mask_only_leaves_the_photograph_where_the_map_is_high():
    image = drawn(HALVES, style="mask-only").images["overlay"]
    assert np.array_equal(image[:, :20], PHOTO[:, :20])
    assert not image[:, 20:].any()
    whole = drawn(HALVES, style="mask-only", box=0.05).images["heatmap"]
    assert whole.shape == PHOTO.shape
    lower = drawn(HALVES, style="mask-only", box=0.05).images["overlay"]
    assert np.array_equal(lower[3:-3, 25:55], PHOTO[3:-3, 25:55])  # a tenth is above five in a hundred


def test_mask_only_goes_by_the_maps_own_maximum_on_a_shared_scale_too():
    shared = draw(PHOTO, HALVES, WHOLE, "layer", Style(style="mask-only"), scale=10.0).images["overlay"]
    assert np.array_equal(shared, drawn(HALVES, style="mask-only").images["overlay"])


def test_mask_only_hides_what_the_net_did_not_see():
    image = drawn(np.ones(SIZE, np.float32), PART, style="mask-only").images["overlay"]
    assert np.array_equal(image[:, 10:50], PHOTO[:, 10:50])
    assert not image[:, :10].any()
    assert not image[:, 50:].any()


def test_an_overlay_tints_where_the_map_is_hot_and_a_blend_everywhere():
    tinted = drawn(HALVES, alpha=0.5).images["overlay"].astype(int)
    assert np.abs(2 * tinted[:, :20] - PHOTO[:, :20] - colour(1.0)).max() <= 3
    assert np.abs(tinted[:, 20:] - PHOTO[:, 20:]).max() <= 0.05 * 255 + 1
    assert np.array_equal(drawn(HALVES - 0.1, alpha=0.5).images["overlay"][:, 20:], PHOTO[:, 20:])
    blended = drawn(HALVES - 0.1, style="blend", alpha=0.5).images["overlay"].astype(int)
    assert np.abs(2 * blended[:, 20:] - PHOTO[:, 20:] - colour(0.0)).max() <= 2


def test_a_gray_background_under_the_colours():
    image = drawn(HALVES, PART, style="gray-background", alpha=0.0).images["overlay"]
    assert (image == image[..., :1]).all()
    gray = PHOTO.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(image[..., 0] - gray).max() <= 1
    mixed = drawn(HALVES, style="gray-background", alpha=0.5).images["overlay"].astype(int)
    assert np.abs(2 * mixed[:, :20] - image[:, :20] - colour(1.0)).max() <= 2


def ramp():
    """0 at the left edge, 1 at the right: each level is one column."""
    return np.repeat(np.linspace(0, 1, 60, dtype=np.float32)[np.newaxis], 40, axis=0)


def test_contours_run_where_their_level_is_reached():
    image = drawn(ramp(), style="contour").images["overlay"]
    changed = (image != PHOTO).any(axis=2)
    for level in (0.25, 0.5, 0.75):
        column = int(np.argmax(ramp()[0] >= level))
        assert image[5:35, column].tolist() == [colour(level)] * 30
        assert not changed[5:35, column - 4 : column - 1].any()  # the photograph shows between the lines
    assert not changed[:, :10].any()


def test_contours_of_a_signed_map_have_both_signs():
    map = 2 * ramp() - 1
    image = drawn(map, style="contour", colormap="diverging").images["overlay"]
    for side in (-1, 1):
        column = int(np.argmax(map[0] >= 0.5)) if side > 0 else int(np.argmax(map[0] > -0.5)) - 1
        assert image[20, column].tolist() == colour(0.5 + 0.25 * side, "diverging")
    masked = drawn(map, style="mask-only", colormap="diverging").images["overlay"]
    assert not masked[:, :33].any()  # evidence against the class is not what is shown
    assert np.array_equal(masked[:, 36:], PHOTO[:, 36:])


@pytest.mark.parametrize("style", sorted(STYLES))
def test_an_empty_map_leaves_the_photograph_in_every_style(style):
    result = drawn(None, style=style, box=0.15)
    assert np.array_equal(result.images["overlay"], PHOTO)
    assert result.box is None


def test_the_box_is_drawn_where_it_is_said_to_be():
    map = np.zeros(SIZE, np.float32)
    map[10:20, 30:45] = 2.0
    plain, boxed = drawn(map), drawn(map, box=0.15)
    assert plain.box is None
    assert boxed.box == (10, 30, 20, 45)
    edges = boxed.images["overlay"]
    for row, column in ((10, 35), (19, 35), (15, 30), (15, 44)):
        assert edges[row, column].tolist() == [255, 255, 255]
    assert edges[9, 35].tolist() == edges[20, 35].tolist() == [0, 0, 0]
    assert np.array_equal(edges[13:17, 34:41], plain.images["overlay"][13:17, 34:41])
    assert np.array_equal(boxed.images["heatmap"], plain.images["heatmap"])


def test_lines_are_as_thick_as_the_image_asks():
    def width(side):
        image = outlined(np.full((side, side, 3), 99, np.uint8), (side // 4, side // 4, side // 2, side // 2))
        return int((image[side // 3] == 255).all(axis=1).sum())

    assert width(100) == 2  # two sides, one pixel each
    assert 10 <= width(1500) <= 14


def test_pixel_maps_have_no_box():
    result = draw(PHOTO, np.ones((*SIZE, 3), np.float32), WHOLE, "pixels", Style(box=0.15))
    assert list(result.images) == ["pixels"]
    assert result.box is None


WRONG = [
    (
        {"colormap": "rainbow"},
        "unknown colour map 'rainbow'; possible: jet, turbo, viridis, inferno, cividis, diverging",
    ),
    ({"colormap": ["jet"]}, r"unknown colour map \['jet'\]; possible: jet, "),
    ({"colormap": None}, "unknown colour map None; possible: jet, "),
    ({"alpha": 1.5}, "alpha is a number between 0 .* and 1 .*, not 1.5"),
    ({"alpha": float("nan")}, "alpha is a number between 0 .* and 1 .*, not nan"),
    ({"alpha": "0.5"}, "alpha is a number between 0 .* and 1 .*, not '0.5'"),
    ({"alpha": None}, "alpha is a number between 0 .* and 1 .*, not None"),
    ({"alpha": True}, "alpha is a number between 0 .* and 1 .*, not True"),
    ({"heatmaps": "no"}, "heatmaps is True or False, not 'no'"),
    ({"raw": 1}, "raw is True or False, not 1"),
    ({"share_scale": None}, "share_scale is True or False, not None"),
    ({"style": "comic"}, "unknown style 'comic'; possible: overlay, blend, contour, mask-only, gray-background"),
    ({"style": {}}, "unknown style {}; possible: overlay, "),
    ({"box": 1.0}, "the box share, of the map's maximum, is at least 0 and below 1, not 1.0"),
    ({"box": -0.1}, "the box share, of the map's maximum, is at least 0 and below 1"),
    ({"box": "0.2"}, "the box share, of the map's maximum, is at least 0 and below 1, not '0.2'"),
    ({"box": True}, "the box share, of the map's maximum, is at least 0 and below 1, not True"),
    ({"bands": (1, 2)}, r"bands are one or three whole numbers, counted from 1, such as 3,2,1, not \(1, 2\)"),
    ({"bands": "rgb"}, "bands are one or three whole numbers"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=str)
def test_a_wrong_option_is_refused_with_what_is_possible(options, message):
    with pytest.raises(OptionError, match=message):
        Style(**options)


def test_numpy_values_are_taken():
    style = Style(alpha=np.float32(0.5), box=np.float64(0.25), raw=np.bool_(True), bands=np.array([3, 2, 1]))
    assert (style.alpha, style.box, style.raw, style.bands) == (0.5, 0.25, True, (3, 2, 1))
    assert Style(alpha=0).alpha == 0
    assert Style(alpha=np.int64(1)).alpha == 1
    assert Style(bands=None).bands == ()
