"""Style refuses wrong types and values, field by field, and says what is possible."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError

WRONG = [
    ({"colormap": "rainbow"}, "unknown colour map 'rainbow'; possible: jet, turbo, viridis, inferno, diverging"),
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
