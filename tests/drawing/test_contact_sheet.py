"""Contact sheets: every tile is there, at its place, with its marks where they belong."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.drawing.contact_sheet import GOOD, PAPER, Tile, contact_sheet

RED, BLUE = (200, 0, 0), (0, 0, 200)


def flat(colour, height, width):
    return np.full((height, width, 3), colour, np.uint8)


def where(sheet, colour):
    """Box of all pixels of this colour."""
    rows, columns = np.nonzero((sheet == colour).all(axis=2))
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def test_tiles_keep_their_shape_and_do_not_overlap():
    rows = [[Tile(flat(RED, 30, 60), "a"), Tile(flat(BLUE, 60, 30), "b")], [Tile(flat((0, 99, 0), 10, 10), "c")]]
    sheet = contact_sheet(rows, "title", columns=1, side=120)
    red, blue, green = (where(sheet, colour) for colour in (RED, BLUE, (0, 99, 0)))
    assert (red[2] - red[0], red[3] - red[1]) == (60, 120)
    assert (blue[2] - blue[0], blue[3] - blue[1]) == (120, 60)
    assert (green[2] - green[0], green[3] - green[1]) == (120, 120)
    assert red[0] == blue[0]
    assert red[3] < blue[1]
    assert green[0] > blue[2]
    assert green[1] == red[1]
    assert tuple(sheet[0, 0]) == tuple(sheet[-1, -1]) == PAPER


def test_rows_fill_the_columns_one_after_the_other():
    colours = [(10 * i, 0, 99) for i in range(1, 6)]
    sheet = contact_sheet([[Tile(flat(colour, 8, 8), "")] for colour in colours], "", columns=2, side=40)
    boxes = [where(sheet, colour) for colour in colours]
    assert [box[1] for box in boxes] == [boxes[0][1]] * 3 + [boxes[3][1]] * 2
    assert boxes[3][1] > boxes[0][3]
    assert boxes[0][0] == boxes[3][0] < boxes[1][0] == boxes[4][0] < boxes[2][0]


def test_box_and_peak_are_drawn_to_the_tile_s_scale():
    tile = Tile(flat(BLUE, 50, 100), "", box=(10, 20, 30, 60), peak=(20, 40))
    sheet = contact_sheet([[tile]], "", columns=1, side=200)
    plain = contact_sheet([[Tile(tile.image, "")]], "", columns=1, side=200)
    top, left, _, _ = where(plain, BLUE)
    rows, columns = np.nonzero((sheet != plain).any(axis=2))
    assert abs(rows.min() - (top + 20)) <= 3
    assert abs(rows.max() - (top + 60)) <= 3
    assert abs(columns.min() - (left + 40)) <= 3
    assert abs(columns.max() - (left + 120)) <= 3
    ring = (sheet != plain).any(axis=2)[top + 30 : top + 50, left + 70 : left + 92]
    assert ring.any()
    assert not ring[11, 11]  # the middle of the mark stays visible


def test_titles_are_written_above_in_their_ink():
    tile = Tile(flat(BLUE, 50, 50), "star  0.98", ink=GOOD)
    sheet = contact_sheet([[tile]], "", columns=1, side=100)
    blue = where(sheet, BLUE)
    greenish = (sheet[..., 1].astype(int) - sheet[..., 0] > 60) & (sheet[..., 1].astype(int) - sheet[..., 2] > 30)
    rows, columns = np.nonzero(greenish)
    assert rows.max() < blue[0]
    assert rows.min() > blue[0] - 24
    assert columns.min() - blue[1] < 10
