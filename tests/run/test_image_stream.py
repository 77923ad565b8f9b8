"""Images that are read ahead of their use: in order, with their errors, never too many in memory."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from image_folders import write_noise

from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.image_stream import StreamOptions, open_stream

NAMES = [f"{i:02}.png" for i in range(12)]
BAD = 4


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = write_noise(tmp_path_factory.mktemp("stream") / "photos", dict.fromkeys(NAMES, (30, 40)))
    (folder / NAMES[BAD]).write_bytes(b"no image")
    return str(folder)


def test_images_come_in_order_as_the_net_fits_them_and_a_bad_one_says_why(net, photos):
    stream = open_stream(net, photos, "", StreamOptions(threads=3))
    images = list(stream.images())
    assert stream.count == len(NAMES)
    assert [(image.index, image.file.relative) for image in images] == list(enumerate(NAMES))
    assert [bool(image.error) for image in images] == [i == BAD for i in range(len(NAMES))]
    assert images[BAD].fitted is None
    assert NAMES[BAD] in images[BAD].error
    for image in images[:BAD]:
        expected = net.fit_image(image.file.path)
        np.testing.assert_array_equal(image.fitted.pixels, expected.pixels)
        assert image.fitted.placement == expected.placement
        assert image.image.shape == (30, 40, 3)


def test_only_a_few_images_are_read_before_the_first_is_used(net, photos):
    stream = open_stream(net, photos, "", StreamOptions(threads=2))
    read = []

    def counting(item):
        read.append(item.file.relative)
        return stream.reader(item)

    images = replace(stream, reader=counting).images()
    next(images)
    assert len(read) <= 3
    images.close()
    assert len(read) <= 3
    assert not any("ThreadPool" in thread.name for thread in threading.enumerate())


def test_finished_images_are_skipped(net, photos):
    stream = open_stream(net, photos, "", StreamOptions())
    assert [image.file.relative for image in stream.images(NAMES[:9])] == NAMES[9:]
    assert [image.index for image in stream.images(NAMES[:9])] == [9, 10, 11]


@pytest.mark.parametrize(
    ("done", "message"), [(["other.png"], "image 1 was 'other.png'"), ([*NAMES, "z.png"], "'z.png' is not listed")]
)
def test_finished_images_that_do_not_fit_are_refused(net, photos, done, message):
    stream = open_stream(net, photos, "", StreamOptions())
    with pytest.raises(OptionError, match=message):
        list(stream.images(done))


def test_a_draw_is_the_draw_of_a_run(net, photos):
    chosen = open_stream(net, photos, "", StreamOptions(n_images=3, seed=5))
    again = open_stream(net, photos, "", StreamOptions(n_images=3, seed=5))
    names = [image.file.relative for image in chosen.images()]
    assert chosen.count == len(names) == 3
    assert names == [image.file.relative for image in again.images()]
