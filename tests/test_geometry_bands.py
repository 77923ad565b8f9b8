"""Pictures of any number of bands are fitted as photographs are."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.geometry import fit


@pytest.mark.parametrize("mode", ["stretch", "center-crop", "letterbox"])
@pytest.mark.parametrize("channels", [1, 2, 4, 5, 8])
def test_each_band_is_fitted_as_if_it_were_alone(mode, channels):
    bands = np.random.default_rng(0).uniform(0, 255, (17, 23, channels)).astype(np.float32)
    for size in ((8, 8), (40, 9), (17, 23)):
        fitted = fit(bands, size, mode)
        assert fitted.pixels.shape == (*size, channels)
        for k in range(channels):
            alone = fit(np.repeat(bands[..., [k]], 3, axis=2), size, mode).pixels[..., 0]
            np.testing.assert_allclose(fitted.pixels[..., k], alone, rtol=1e-6, atol=1e-4)
