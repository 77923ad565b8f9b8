"""Targets out of files: which image gets which class and mask, and what is said where one gets none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.errors import ImageFileError, OptionError, RegionError, TargetError
from gradcam_tf1.images.image_files import ImageFile
from gradcam_tf1.labels import Labels
from gradcam_tf1.run.per_image import MaskFile, PerImage, find_masks, read_class_file
from gradcam_tf1.run.target_rows import check_classes, row_key, rows_of
from gradcam_tf1.targets import Anchor, Contrast, Region, Scalar, Top, Worst

LISTING = [ImageFile(f"in/{name}", name) for name in ("a.png", "birds/owl.jpg", "birds/b, c.png")]


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "classes.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        'a.png,3\nbirds/owl.jpg,great grey owl\n"birds/b, c.png",0\n',
        'image,class\na.png,3\nowl.jpg, great grey owl\n"b, c.png",0',
        "\ufeffid;x;file\r\n3;?;./a.png\r\ngreat grey owl;?;in/birds/owl.jpg\r\n\r\n0;?;b, c.png\r\n",
        "a.png\t3\nowl.jpg\tgreat grey owl\nb, c.png\t0\nnot-there.png\t9\n",
    ],
)
def test_classes_are_found_by_path_or_name_with_any_header(tmp_path, text):
    assert read_class_file(table(tmp_path, text), LISTING) == [[3], ["great grey owl"], [0]]


def test_an_image_may_have_several_lines(tmp_path):
    path = table(tmp_path, "a.png,3\nowl.jpg,1\na.png,dog\nbirds/b.png,2")
    assert read_class_file(path, LISTING[:2]) == [[3, "dog"], [1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.png,3\n", r"no class for 2 of 3 images: 'birds/owl.jpg', 'birds/b, c.png'"),
        ("a.png,3\nowl.jpg\n", r"line 2: expected an image and a class, got 'owl.jpg'"),
        ("image,class\n", "has no lines; write an image and a class"),
        ("", "has no lines; write an image and a class"),
        ('a.png,3\n"' + "x" * 200_000, r"line \d: .*field"),
    ],
)
def test_what_a_table_lacks_is_named(tmp_path, text, message):
    with pytest.raises(OptionError, match=message):
        read_class_file(table(tmp_path, text), LISTING)


def test_tables_that_cannot_be_read(tmp_path):
    with pytest.raises(OptionError, match="is not a text file in UTF-8"):
        read_class_file(table(tmp_path, "caf\xe9.png,1", "latin-1"), LISTING)
    with pytest.raises(OptionError, match="nowhere.csv. cannot be read: No such file or directory; give a CSV file"):
        read_class_file(str(tmp_path / "nowhere.csv"), LISTING)


def test_a_name_that_two_images_have_is_refused(tmp_path):
    listing = [ImageFile(f"in/{name}", name) for name in ("x/a.png", "y/a.png", "a.png")]
    with pytest.raises(OptionError, match=r"line 1: 'a.png' is the name of 2 images, 'x/a.png', 'y/a.png'; write"):
        read_class_file(table(tmp_path, "a.png,1"), listing[:2])
    path = table(tmp_path, "a.png,1\nx/a.png,2\ny/a.png,3")
    assert read_class_file(path, listing) == [[2], [3], [1]]  # a whole path goes before a name


def image(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(str(path))
    return str(path)


def test_masks_are_found_by_their_stems(tmp_path):
    for name in ("a.png", "owl.png", "birds/b, c.bmp"):
        image(tmp_path / name, [[255]])
    found = find_masks(str(tmp_path), LISTING)
    assert [mask.path for mask in found] == [str(tmp_path / n) for n in ("a.png", "owl.png", "birds/b, c.bmp")]
    one = str(tmp_path / "a.png")
    assert find_masks(one, LISTING) == [MaskFile(one)] * 3


def test_masks_that_are_missing_or_too_many(tmp_path):
    image(tmp_path / "a.png", [[255]])
    with pytest.raises(OptionError, match=r"no mask for 2 of 3 images: 'birds/owl.jpg', 'birds/b, c.png'"):
        find_masks(str(tmp_path), LISTING)
    image(tmp_path / "a.bmp", [[255]])
    with pytest.raises(OptionError, match="has 2 masks of one name"):
        find_masks(str(tmp_path), LISTING[:1])
    with pytest.raises(OptionError, match="is 2 masks; give their folder, or one file"):
        find_masks(str(tmp_path / "*.*"), LISTING)
    with pytest.raises(ImageFileError, match="no such file or folder"):
        find_masks(str(tmp_path / "nowhere"), LISTING)


@pytest.mark.parametrize("high", [1, 128, 255])
def test_what_is_bright_in_a_mask_is_inside(tmp_path, high):
    mask = MaskFile(image(tmp_path / "m.png", np.array([[0, high], [high, 0]])))
    assert np.asarray(mask, np.float32).tolist() == [[0, 1], [1, 0]]
    half = MaskFile(image(tmp_path / "h.png", [[0, 99, 100, 200]]))
    assert np.asarray(half).tolist() == [[0, 0, 1, 1]]
    noisy = MaskFile(image(tmp_path / "n.png", [[[250, 0, 3], [9, 0, 0]]]))
    assert np.asarray(noisy).tolist() == [[1, 0]]


def test_a_black_mask_is_refused_when_it_is_read(tmp_path):
    with pytest.raises(RegionError, match="is black everywhere"):
        np.asarray(MaskFile(image(tmp_path / "m.png", [[0, 0]])))


def test_rows_are_made_of_classes_wraps_masks_and_further_targets(tmp_path):
    path = table(tmp_path, "a.png,3\nowl.jpg,owl")
    listing = LISTING[:2]
    assert PerImage(path, further=(Worst(),))(listing) == [[3, Worst()], ["owl", Worst()]]
    assert PerImage(path, wrap=Anchor(best=4))(listing) == [[Anchor(3, best=4)], [Anchor("owl", best=4)]]
    for name in ("a.png", "owl.png"):
        image(tmp_path / "masks" / name, [[255]])
    rows = PerImage(masks=str(tmp_path / "masks"), classes=[1, 2])(listing)
    first, second = (MaskFile(str(tmp_path / "masks" / name)) for name in ("a.png", "owl.png"))
    assert rows == [[Region(c, mask=mask) for c in (1, 2)] for mask in (first, second)]


# rows of a run


def test_rows_of_a_run():
    assert rows_of(None, LISTING) == [None] * 3
    assert rows_of(Top(2), LISTING) == [Top(2)] * 3
    assert rows_of([1, "b"], LISTING) == [[1, "b"]] * 3
    assert rows_of([[1], (2,), np.array([3])], LISTING) == [[1], [2], [3]]
    assert rows_of(lambda listing: [[file.relative] for file in listing], LISTING)[1] == ["birds/owl.jpg"]
    with pytest.raises(TargetError, match="targets has 2 rows, but there are 3 images"):
        rows_of([[1], [2]], LISTING)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([7], "no class 7: the net has 3 classes"),
        (["cat", "unicorn"], "no class is named 'unicorn'"),
        ([Region("unicorn")], "no class is named 'unicorn'"),
        ([Contrast(0, 3)], "no class 3"),
        (np.array([5]), "no class 5"),
        ([1, Region(1, point=(np.nan, 5))], r"point=\(nan, 5\)\) is in no image: give \(row, column\) in pixels"),
        ([Region(1, point=(3, -1))], "is in no image"),
        ([Region(1, point=(np.inf, 0))], "is in no image"),
        ([Region(1, point=("a", 0))], r"give \(row, column\) in pixels of the original image"),
        ([Top(4)], r"Top\(4\): the net has 3 classes"),
    ],
)
def test_classes_are_looked_up_before_the_run(row, message):
    labels = Labels(["cat", "dog", "owl"])
    check_classes([["cat", None, Top(2), Scalar("x:0"), Contrast("dog")], "owl", None], 3, labels)
    with pytest.raises(TargetError, match=message):
        check_classes([["dog"], row], 3, labels)


def test_one_logit_is_two_classes_and_an_unknown_number_is_not_checked():
    check_classes([[1]], 1, None)
    check_classes([[99_999]], None, None)
    with pytest.raises(TargetError, match="no class 2"):
        check_classes([[2]], 1, None)


def test_rows_go_together_where_they_differ_in_classes_and_masks_alone():
    assert row_key([1, "a", None]) == row_key([2, 3, 4])
    assert row_key([1]) != row_key([1, 2])
    assert row_key([Region(1, mask=MaskFile("a"))]) == row_key([Region("x", mask=MaskFile("b"))])
    assert row_key([Region(1, mask=MaskFile("a"))]) != row_key([Region(1, point=(1, 2))])
    assert row_key([Contrast(1, 2)]) != row_key([Contrast(1, 3)])  # the name of the files says against what
    assert row_key([Contrast(1, 2)]) == row_key([Contrast(0, 2)])
    assert row_key([Top(2)]) != row_key([Top(3)])
    assert row_key([Scalar(len)]) != row_key([Scalar(max)])
    assert row_key(None) is row_key(3) is None
