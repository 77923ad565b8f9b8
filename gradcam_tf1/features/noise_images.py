"""What units say to images of nothing: the floor under the value that a picture reaches."""

from __future__ import annotations

from typing import List, Sequence

import numpy as np

from gradcam_tf1.features.bound_units import BoundUnit
from gradcam_tf1.features.feature_options import FeatureOptions
from gradcam_tf1.features.pixel_colours import PixelColours
from gradcam_tf1.features.spectrum_pictures import SpectrumPictures
from gradcam_tf1.features.unit_net import UnitNet

COUNT = 16
_CONTRAST = 1.5  # deviation before the sigmoid, with which pixels reach from dark to bright


def noise_images(net: UnitNet, options: FeatureOptions) -> np.ndarray:
    """Return 16 random images: 8 of white noise, 8 with amplitudes that fall as 1 / f. float32 [16, h, w, C]."""
    height, width, channels = net.shape
    low, high = options.values
    random = np.random.RandomState(options.seed)
    white = random.uniform(low, high, (COUNT // 2, height, width, net.channels))
    spectra = SpectrumPictures((height, width), net.channels)
    soft = spectra.pictures(random.normal(size=(COUNT // 2, *spectra.shape)))
    soft *= _CONTRAST / soft.std(axis=(1, 2, 3), keepdims=True)
    images = np.concatenate([white, PixelColours(net.channels, low, high).pixels(soft)]).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(images, (COUNT, height, width, channels)))


def noise_values(net: UnitNet, units: Sequence[BoundUnit], options: FeatureOptions) -> List[float]:
    """Return the best value of each unit on the noise images; the lowest for a negative unit."""
    images = noise_images(net, options)
    found = [0.0] * len(units)
    for key in dict.fromkeys(unit.key for unit in units):
        places = [n for n, unit in enumerate(units) if unit.key == key]
        parts = [images[start : start + net.chunk] for start in range(0, COUNT, net.chunk)]
        values = np.concatenate([net.measure([units[n] for n in places], part)[0] for part in parts])
        for column, n in enumerate(places):
            found[n] = float(units[n].sign * (units[n].sign * values[:, column]).max())
    return found
