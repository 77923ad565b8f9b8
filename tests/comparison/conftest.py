"""Images whose classes are known, and the net that finds them."""

from __future__ import annotations

import pytest
from blob_nets import open_blob_net, write_blobs

# one blob, or a large and a small one; red lies at the left
SCENES = {
    "a_red.png": [(0, 4, 4, 8)],
    "b_green.png": [(1, 4, 20, 8)],
    "c_blue.png": [(2, 20, 20, 8), (1, 4, 20, 4)],
    "d_both.png": [(0, 8, 4, 8), (1, 8, 20, 4)],
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return str(write_blobs(tmp_path_factory.mktemp("blobs") / "photos", SCENES))


@pytest.fixture(scope="module")
def blobs():
    with open_blob_net() as net:
        yield net
