"""Files of boxes, one record each: worked by hand, and hostile."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.errors import ImageFileError, OptionError, RegionError
from gradcam_tf1.evaluation.box_tables import read_box_table
from gradcam_tf1.evaluation.coco_boxes import read_coco, read_json
from gradcam_tf1.evaluation.object_records import ObjectsOfImage, TrueObject, box_of, size_of
from gradcam_tf1.evaluation.voc_boxes import read_voc

VOC = """<annotation><filename>other.jpg</filename>
<size><width>60</width><height>40</height><depth>3</depth></size>
<object><name> dog </name><difficult>0</difficult>
  <bndbox><xmin>1</xmin><ymin>11</ymin><xmax>20</xmax><ymax>40</ymax></bndbox>
  <part><name>head</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part></object>
<object><name>cat</name><difficult>1</difficult>
  <bndbox><xmin>30.5</xmin><ymin>2.4</ymin><xmax>60</xmax><ymax>4.4</ymax></bndbox></object>
</annotation>"""


def written(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_voc_counts_pixels_from_one_and_includes_the_last(tmp_path):
    found = read_voc(written(tmp_path, "a.xml", VOC))
    assert found.problem == ""
    assert found.size == (40, 60)
    assert found.objects == (TrueObject("dog", (10, 0, 40, 20)), TrueObject("cat", (1, 30, 4, 60)))
    assert [item.class_name for item in read_voc(written(tmp_path, "a.xml", VOC), difficult=False).objects] == ["dog"]


BOMB = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><annotation><object><name>&c;</name></object></annotation>'
OUTSIDE = (
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation><object><name>&b;</name></object></annotation>'
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, "has a document type"),
        (OUTSIDE, "has a document type"),
        ("<a>" * 17 + "</a>" * 17, "nested more than 16 deep"),
        (VOC[:-20], "is not XML"),
        (b"\xff\xfe\x00 no text", "is not XML"),
        ('<?xml version="1.0" encoding="nonsense"?><a/>', "is not XML"),
        ("<annotation>" + " " * 4_000_000 + "</annotation>", "larger than 4,000,000 bytes"),
        (VOC.replace("<xmax>20</xmax>", ""), "without a name or a complete bndbox"),
        (VOC.replace(" dog ", ""), "without a name or a complete bndbox"),
        (VOC.replace("<xmin>1<", "<xmin>one<"), "sides that are no numbers"),
        (VOC.replace("<xmax>20<", "<xmax>nan<"), "sides that are no numbers"),
        (VOC.replace("<xmax>20<", "<xmax>1e30<"), "sides that are no numbers"),
        (VOC.replace("<xmax>20<", "<xmax>0<"), "has no pixels"),
        (b"", "is empty"),
    ],
)
def test_a_damaged_or_hostile_xml_file_is_a_problem_of_its_image(tmp_path, text, problem):
    found = read_voc(written(tmp_path, "bad.xml", text))
    assert found.objects == ()
    assert problem in found.problem
    assert "bad.xml" in found.problem
    with pytest.raises(RegionError, match="bad.xml"):
        found.locate({"dog"}, (40, 60))


def test_an_image_without_objects_has_a_file_too(tmp_path):
    assert read_voc(written(tmp_path, "a.xml", "<annotation/>")) == ObjectsOfImage((), None, repr(f"{tmp_path}/a.xml"))


def coco(**changes):
    content = {
        "images": [{"id": 7, "file_name": "b/owl.jpg", "width": 60, "height": 40}, {"id": 8, "file_name": "none.jpg"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "bbox": [10, 5.4, 20.2, 10], "iscrowd": 0},
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 60, 40], "iscrowd": 1},
        ],
        "categories": [{"id": 3, "name": "bird"}],
    }
    return json.dumps({**content, **changes})


def test_coco_boxes_are_corner_and_size_from_zero(tmp_path):
    path = written(tmp_path, "c.json", coco())
    found = read_coco(path)
    assert found["b/owl.jpg"].objects == (TrueObject("bird", (5, 10, 15, 30)),)
    assert found["b/owl.jpg"].size == (40, 60)
    assert found["none.jpg"].objects == ()
    assert found["none.jpg"].size is None
    assert len(read_coco(path, crowd=True)["b/owl.jpg"].objects) == 2


IMAGE = {"id": 7, "file_name": "owl.jpg"}
BOX = {"image_id": 7, "category_id": 3, "bbox": [1, 1, 2, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is not a COCO file, which has the form"),
        (coco(annotations=[3]), "is not a COCO file"),
        (coco(images=None), "is not a COCO file"),
        ("{", "is not JSON in UTF-8"),
        (b"\xff\xff", "is not JSON in UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        (coco(annotations=[{**BOX, "image_id": 9}]), "annotation 0: no image or category has the id 9"),
        (coco(annotations=[BOX, {**BOX, "category_id": 4}]), "annotation 1: no image or category has the id 4"),
        (coco(annotations=[{**BOX, "bbox": [1, 1, 2]}]), r"bbox is not \[left, top, width, height\]"),
        (coco(annotations=[{**BOX, "bbox": [1, 1, True, 2]}]), r"bbox is not \[left, top, width, height\]"),
        (coco(annotations=[{**BOX, "bbox": [1, 1, -2, 2]}]), "annotation 0: the box .* has no pixels"),
        (coco(annotations=[{**BOX, "bbox": [1, 1, float("nan"), 2]}]), "bbox is not"),
        (coco(annotations=[{**BOX, "bbox": [1.5, 1, 10**400, 2]}]), "bbox is not"),
        (coco(images=[IMAGE, IMAGE]), "two images with one id"),
        (coco(images=[IMAGE, {**IMAGE, "id": 6}]), "two images with the file_name 'owl.jpg'"),
        (coco(images=[{"id": 7}]), "an image without a file_name"),
        (coco(categories=[{"id": 3, "name": " "}]), "a category without a name"),
        (coco(categories=[{"id": [1], "name": "a"}], annotations=[BOX]), "no image or category has the id 3"),
    ],
)
def test_a_coco_file_that_does_not_fit_is_refused(tmp_path, text, message):
    with pytest.raises(OptionError, match=message):
        read_coco(written(tmp_path, "c.json", text))


def test_a_json_file_has_a_largest_size(tmp_path):
    with pytest.raises(OptionError, match="larger than 10 bytes; keep the images that are evaluated"):
        read_json(written(tmp_path, "c.json", coco()), 10)
    with pytest.raises(OptionError, match="is a folder, not a JSON file"):
        read_json(str(tmp_path))


def test_tables_of_both_conventions_name_the_same_pixels(tmp_path):
    from_zero = "right;bottom;image;class;left;top\n20;40;b/owl.jpg;bird;0;10\n;;empty.jpg;;;\n"
    as_voc = "filename,width,height,class,xmin,ymin,xmax,ymax\nb/owl.jpg,60,40,bird,1,11,20,40\n"
    expected = (TrueObject("bird", (10, 0, 40, 20)),)
    first, second = (read_box_table(written(tmp_path, "t.csv", text)) for text in (from_zero, as_voc))
    assert first["b/owl.jpg"].objects == second["b/owl.jpg"].objects == expected
    assert first["empty.jpg"].objects == ()
    assert (first["b/owl.jpg"].size, second["b/owl.jpg"].size) == (None, (40, 60))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg,dog,1,2,3,4", "needs a header: image,class,left,top,right,bottom"),
        ("", "needs a header"),
        ("image,class,left,top,right\na,dog,1,2,3", "needs a header"),
        ("image,class,left,top,right,bottom,left\na,dog,1,2,3,4,5", "two columns of one name"),
        ("image,class,left,top,right,bottom\na,dog,1,2,3", "line 2: 5 cells, the header has 6"),
        ("image,class,left,top,right,bottom\n,dog,1,2,3,4", "line 2: no image is named"),
        ("image,class,left,top,right,bottom\na,,1,2,3,4", "line 2: the box has no class"),
        ("image,class,left,top,right,bottom\na,dog,1,2,3,x", "line 2: the box .* no numbers"),
        ("image,class,left,top,right,bottom\na,dog,x,2,3,4", "line 2: the box .* no numbers"),
        ("image,class,left,top,right,bottom\na,dog,5,2,3,4", "line 2: the box .* has no pixels"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, text, message):
    with pytest.raises(OptionError, match=message):
        read_box_table(written(tmp_path, "t.csv", text))


def test_a_box_has_the_pixels_whose_centres_are_inside():
    assert box_of(0, 0, 1, 1) == (0, 0, 1, 1)
    assert box_of(0.4, 0.6, 2.4, 2.6) == (1, 0, 3, 2)
    assert box_of("-3", 0, "4.0", 2) == (0, -3, 2, 4)


@pytest.mark.parametrize(("height", "width"), [(0, 0), (None, 5), ("", ""), ("x", 3), (-1, 5), (float("inf"), 5)])
def test_a_file_may_say_nothing_about_the_size(height, width):
    assert size_of(height, width) is None
    assert size_of("40", 60.0) == (40, 60)


def test_the_objects_of_a_class_are_its_boxes_and_their_union():
    found = ObjectsOfImage(
        (TrueObject("dog", (0, 0, 2, 3)), TrueObject("cat", (0, 5, 1, 6)), TrueObject("dog", (1, 2, 5, 9)))
    ).locate({"dog"}, (4, 8))
    assert found.boxes == ((0, 0, 2, 3), (1, 2, 4, 8))
    assert found.clipped == 1
    assert found.region.sum() == 6 + 18 - 1
    assert ObjectsOfImage((TrueObject("cat", (0, 5, 1, 6)),)).locate({"dog"}, (4, 8)) is None


def test_boxes_of_another_image_are_refused():
    item = TrueObject("dog", (30, 50, 35, 55))
    with pytest.raises(RegionError, match=r"x.xml is about an image of 60x40, this one is 30x20 .*that were marked"):
        ObjectsOfImage((item,), (40, 60), "x.xml").locate({"dog"}, (20, 30))
    with pytest.raises(RegionError, match="this one is 40x60 .* turned upright by its EXIF orientation"):
        ObjectsOfImage((item,), (40, 60), "x.xml").locate({"dog"}, (60, 40))
    with pytest.raises(RegionError, match=r"x.csv: the box .* lies outside the image of 30x20"):
        ObjectsOfImage((item,), None, "x.csv").locate({"dog"}, (20, 30))
    assert ObjectsOfImage((item,), (40, 60), "x.xml").locate({"dog"}, (40, 60)).region.sum() == 25


def test_any_pixel_of_a_mask_that_is_not_black_is_the_object(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[1, 2], pixels[3, 5] = (0, 0, 1), (255, 255, 255)
    cv2.imwrite(str(tmp_path / "m.png"), pixels)
    cv2.imwrite(str(tmp_path / "black.png"), pixels * 0)
    item = ObjectsOfImage((TrueObject(None, mask=str(tmp_path / "m.png")),))
    found = item.locate({"anything"}, (4, 6))
    assert np.argwhere(found.region).tolist() == [[1, 2], [3, 5]]
    assert found.boxes == ()
    with pytest.raises(RegionError, match=r"has 6x4 pixels, the image 4x6 \(width x height\)"):
        item.locate((), (6, 4))
    with pytest.raises(RegionError, match="is black everywhere; it marks no object"):
        ObjectsOfImage((TrueObject(None, mask=str(tmp_path / "black.png")),)).locate((), (4, 6))
    with pytest.raises(ImageFileError):
        ObjectsOfImage((TrueObject(None, mask=str(tmp_path / "gone.png")),)).locate((), (4, 6))


def test_a_coco_box_without_pixels_is_a_problem_of_its_image(tmp_path):
    """COCO's own train2017 has some."""
    other = {**IMAGE, "id": 8, "file_name": "dog.jpg"}
    flat = {**BOX, "bbox": [10, 10, 1.03, 0.0]}
    found = read_coco(
        written(tmp_path, "c.json", coco(images=[IMAGE, other], annotations=[flat, BOX, {**BOX, "image_id": 8}]))
    )
    assert (
        "annotation 0: the box (10, 10, 11.03, 10.0) (left, top, right, bottom) has no pixels"
        in found["owl.jpg"].problem
    )
    assert (found["dog.jpg"].problem, len(found["dog.jpg"].objects)) == ("", 1)


@pytest.mark.parametrize("sides", [(0.1, 0.2, 0.6, 0.7), (0, 0, 0.5, 1), ("0.0", "0.25", "1.0", "1.0")])
def test_boxes_in_shares_of_the_image_are_refused(sides):
    with pytest.raises(OptionError, match="has shares of the image; multiply by its width and height"):
        box_of(*sides)
    assert box_of(0, 0, 1, 1) == (0, 0, 1, 1)
    assert box_of(0.2, 0.2, 1.6, 1.6) == (0, 0, 2, 2)


def mask_of(path, size=(4, 6)):
    return ObjectsOfImage((TrueObject(None, mask=str(path)),)).locate((), size).region


def test_masks_of_16_bits_hold_numbers_of_objects(tmp_path):
    pixels = np.zeros((4, 6), np.uint16)
    pixels[1, 2], pixels[2, 3] = 1, 40_000
    for name in ("m.png", "m.tif"):
        cv2.imwrite(str(tmp_path / name), pixels)
        assert np.argwhere(mask_of(tmp_path / name)).tolist() == [[1, 2], [2, 3]]


def test_the_gray_that_a_jpeg_file_adds_is_not_the_object(tmp_path):
    object_ = np.zeros((40, 60), bool)
    object_[10:23, 20:37] = True
    cv2.imwrite(str(tmp_path / "m.jpg"), np.uint8(255 * object_))
    assert np.count_nonzero(cv2.imread(str(tmp_path / "m.jpg"), 0)) > object_.sum()
    assert np.array_equal(mask_of(tmp_path / "m.jpg", object_.shape), object_)


@pytest.mark.parametrize("bands", [2, 4])
def test_a_transparent_mask_is_refused(tmp_path, bands):
    """White everywhere, and opaque on the object; or black on the object, and white where nothing is."""
    for colour in (0, 255):
        pixels = np.full((4, 6, bands), colour, np.uint8)
        pixels[..., -1] = 255
        Image.fromarray(pixels, {2: "LA", 4: "RGBA"}[bands]).save(str(tmp_path / "opaque.png"))
        pixels[:2, :, -1] = 0
        Image.fromarray(pixels, {2: "LA", 4: "RGBA"}[bands]).save(str(tmp_path / "m.png"))
        with pytest.raises(RegionError, match="has transparent pixels, so it does not say what is the object"):
            mask_of(tmp_path / "m.png")
    assert mask_of(tmp_path / "opaque.png").all()
