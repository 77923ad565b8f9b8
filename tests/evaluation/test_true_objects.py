"""Boxes and masks find their images, and names of objects their classes; what is ambiguous is refused."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.errors import OptionError, RegionError
from gradcam_tf1.evaluation.class_map import NetClasses, ids_of_names
from gradcam_tf1.evaluation.true_objects import ObjectFiles, read_true_objects
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.labels import Labels

LABELS = Labels(["dog, domestic dog", "tabby cat", "Egyptian cat", "school_bus"])
NET = NetClasses(4, LABELS)
HEAD = "image,class,left,top,right,bottom\n"
XML = (
    "<annotation><object><name>dog</name><bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>4</xmax><ymax>3</ymax></bndbox>"
    "</object></annotation>"
)


@pytest.fixture
def images(tmp_path):
    """images/a/1.png, images/b/1.png, images/owl.jpg: 6 x 8 pixels."""
    for name in ("a/1.png", "b/1.png", "owl.jpg"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((6, 8, 3), 99, np.uint8))
    return tmp_path / "images"


def listing(folder):
    return list(iter_images(str(folder)))


def read(images, text=None, name="t.csv", classes=NET, class_map=None, **files):
    if text is not None:
        path = images.parent / name
        path.write_text(text)
        files["boxes"] = str(path)
    return read_true_objects(ObjectFiles(class_map=class_map, **files), listing(images), classes)


def test_a_name_is_a_path_below_the_folder_a_full_path_or_a_file_name_of_one_image(images):
    for name in ("owl.jpg", "./owl.jpg", str(images / "owl.jpg"), "elsewhere/owl.jpg", "C:\\data\\owl.jpg"):
        found = read(images, f"{HEAD}{name},dog,0,0,2,2\n")
        assert set(found.images) == {"owl.jpg"}
        assert "has nothing for 2 of 3 images: 'a/1.png', 'b/1.png'" in found.notes[0]
    assert set(read(images, f"{HEAD}b/1.png,dog,0,0,2,2\n").images) == {"b/1.png"}


def test_names_of_several_images_and_several_names_of_one_are_refused(images):
    with pytest.raises(OptionError, match="'1.png' is the name of 2 images, 'a/1.png', 'b/1.png'; write the path"):
        read(images, f"{HEAD}1.png,dog,0,0,2,2\n")
    with pytest.raises(OptionError, match="'owl.jpg' and .* are both the image 'owl.jpg'; keep one name"):
        read(images, f"{HEAD}owl.jpg,dog,0,0,2,2\n{images}/owl.jpg,dog,0,0,2,2\n")
    # of two unknown folders nobody knows which is meant
    with pytest.raises(OptionError, match="names none of the 3 images; its first names are 'x/owl.jpg', 'y/owl.jpg'"):
        read(images, f"{HEAD}x/owl.jpg,dog,0,0,2,2\ny/owl.jpg,dog,0,0,2,2\n")


def test_names_that_are_no_images_are_counted(images):
    found = read(images, f"{HEAD}owl.jpg,dog,0,0,2,2\ngone.jpg,dog,0,0,2,2\n")
    assert "names 1 images that are not in the listing: 'gone.jpg'" in found.notes[1]


def test_xml_files_belong_to_the_image_of_the_same_path_or_name(images):
    (images / "a" / "1.xml").write_text(XML.format(1))
    (images / "b" / "1.xml").write_text(XML.format(3))
    (images / "owl.xml").write_text("<broken")
    found = read(images, boxes=str(images))
    assert [found.images[name].objects[0].box for name in ("a/1.png", "b/1.png")] == [(0, 0, 3, 4), (0, 2, 3, 4)]
    assert found.notes == (f"1 images have files that cannot be read, the first: {found.images['owl.jpg'].problem}",)
    owl = next(file for file in listing(images) if file.relative == "owl.jpg")
    for use in (lambda item: item.locate(0), lambda item: item.best_class(np.ones(4))):
        with pytest.raises(RegionError, match=r"owl.xml' is not XML"):
            use(found.of(owl, (6, 8)))


def test_one_xml_file_for_two_images_and_two_for_one_are_refused(images):
    folder = images.parent / "boxes"
    folder.mkdir()
    (folder / "1.xml").write_text(XML.format(1))
    with pytest.raises(OptionError, match=r"has the name of 2 images, 'a/1.png', 'b/1.png'; put it in a folder"):
        read(images, boxes=str(folder))
    (folder / "1.xml").rename(folder / "owl.xml")
    assert set(read(images, boxes=str(folder)).images) == {"owl.jpg"}
    (folder / "owl.XML").write_text(XML.format(1))
    with pytest.raises(OptionError, match="has 2 XML files for 'owl.jpg'"):
        read(images, boxes=str(folder))
    (folder / "owl.XML").unlink()
    (folder / "owl.xml").rename(folder / "cat.xml")
    with pytest.raises(OptionError, match="has 1 XML files, none with the name of an image, such as 'a/1'"):
        read(images, boxes=str(folder))


def test_a_mask_belongs_to_any_class(images):
    folder = images.parent / "masks"
    folder.mkdir()
    mask = np.zeros((6, 8), np.uint8)
    mask[2, 3:5] = 1
    cv2.imwrite(str(folder / "owl.png"), mask)
    found = read(images, masks=str(folder))
    item = found.of(next(file for file in listing(images) if file.relative == "owl.jpg"), (6, 8))
    assert item.locate(3).region.sum() == 2
    assert item.best_class(np.ones(4)) is None
    other = found.of(listing(images)[0], (6, 8))
    assert other.locate(3) is None
    assert other.why_not(3) == "it is not known where the object is"


def test_the_boxes_of_the_explained_class_count(images):
    found = read(images, f"{HEAD}owl.jpg,dog,0,0,2,2\nowl.jpg,Tabby Cat,4,4,8,6\nowl.jpg,tree,0,0,1,1\n")
    item = found.of(next(file for file in listing(images) if file.relative == "owl.jpg"), (6, 8))
    assert item.locate(0).boxes == ((0, 0, 2, 2),)
    assert item.locate(1).boxes == ((4, 4, 6, 8),)
    assert item.locate(2) is None
    assert item.why_not(2) == "no object of class 2 is marked"
    assert item.best_class(np.array([0.1, 0.3, 9.0, 0.2])) == 1
    assert found.notes[-1] == "objects that are no class of the net, and are left out: 'tree'"


def test_an_image_turned_by_its_exif_orientation_is_measured_upright(images):
    photo, exif = Image.new("RGB", (8, 6), (200, 10, 10)), Image.Exif()
    exif[274] = 6  # a quarter turn
    photo.save(images / "owl.jpg", exif=exif)
    owl = next(file for file in listing(images) if file.relative == "owl.jpg")
    upright = owl.read().shape[:2]
    assert upright == (8, 6)
    head = HEAD.replace("bottom", "bottom,width,height")
    turned = read(images, f"{head}owl.jpg,dog,0,0,2,2,8,6\n").of(owl, upright)
    with pytest.raises(RegionError, match="the image is turned upright by its EXIF orientation, the boxes are not"):
        turned.locate(0)
    assert read(images, f"{head}owl.jpg,dog,0,0,2,8,6,8\n").of(owl, upright).locate(0).region[:, :2].all()


def test_names_of_objects_are_names_of_classes_whatever_their_case():
    ids, notes = ids_of_names(["DOG", "domestic dog", "School Bus", "cat"], NET)
    assert ids == {"DOG": {0}, "domestic dog": {0}, "School Bus": {3}, "cat": frozenset()}  # no part of a name
    assert "'cat'" in notes[0]
    with pytest.raises(OptionError, match=r"\('cow'\) is a class of the net; give labels, or a class map"):
        ids_of_names(["cow"], NET)
    with pytest.raises(OptionError, match="give labels, or a class map"):
        ids_of_names(["dog"], NetClasses(4))
    assert ids_of_names(["2"], NetClasses(4))[0] == {"2": {2}}


def test_a_class_map_has_ids_names_and_ranges(tmp_path):
    given = {"Dog": 0, "cat": ["1-2"], "vehicle": ["school bus", 0]}
    expected = {"dog": {0}, "cat": {1, 2}, "vehicle": {0, 3}}
    assert ids_of_names(["dog", "cat", "vehicle"], NET, given) == (expected, [])
    path = tmp_path / "map.json"
    path.write_text(json.dumps(given))
    assert ids_of_names(["dog", "cat", "vehicle"], NET, str(path))[0] == expected


def test_a_background_class_moves_the_ids_by_one():
    with_background = NetClasses(5, None, background=True)
    ids, notes = ids_of_names(["cat"], with_background, {"cat": ["1-2", 3]})
    assert ids == {"cat": {2, 3, 4}}
    assert notes == ["the net has a background class, so the ids of the class map are raised by 1"]
    assert ids_of_names(["cat"], with_background, {"background": 0, "cat": [1]}) == ({"cat": {1}}, [])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dog": 4}, "gives 'dog' the class 4; the last class of the net is 3"),
        ({"dog": "2-9"}, "gives 'dog' the class 4; the last class of the net is 3"),
        ({"dog": "3-1"}, "no class is named '3-1'"),
        ({"dog": "cow"}, "the class map, 'dog': no class is named 'cow'"),
        ({"dog": "cat"}, "'cat' names 2 classes"),
        ({"dog": -1}, "has '-1' for 'dog'; write class ids"),
        ({"dog": True}, "has 'True' for 'dog'"),
        ({"dog": [[1]]}, "has '\\[1\\]' for 'dog'"),
        ({"dog": None}, "has 'None' for 'dog'"),
        ({1: 1}, "a class map is name -> class ids"),
        ({"cow": 1}, r"\('dog'\) is a class of the net; add them to the class map"),
        ("/no/such.json", "cannot be opened"),
    ],
)
def test_a_class_map_that_does_not_fit_is_refused(given, message):
    with pytest.raises(OptionError, match=message):
        ids_of_names(["dog"], NET, given)


def test_a_last_class_is_told_as_the_map_counts():
    with pytest.raises(OptionError, match="the class 4; the last class of the net is 3"):
        ids_of_names(["dog"], NetClasses(5, None, background=True), {"dog": 4})


@pytest.mark.parametrize("files", [{}, {"boxes": "a", "masks": "b"}])
def test_one_kind_of_file_is_given(files):
    with pytest.raises(OptionError, match="give one of them"):
        ObjectFiles(**files)


def test_the_photographs_with_boxes(models_dir):
    photos = listing(models_dir / "photos_boxed")
    found = read_true_objects(
        ObjectFiles(str(models_dir / "photos_boxed"), None, str(models_dir / "labels" / "voc_to_imagenet.json")),
        photos,
        NetClasses(1001, None, background=True),
    )
    assert len(found.images) == len(photos) == 24
    assert found.ids["cat"] == {282, 283, 284, 285, 286}
    assert not any(item.problem for item in found.images.values())
    for photo in photos:
        assert photo.read().shape[:2] == found.images[photo.relative].size


def test_a_class_map_takes_numbers_of_numpy_and_paths(tmp_path):
    assert ids_of_names({"dog"}, NET, {"dog": np.int64(1)})[0] == {"dog": {1}}
    path = tmp_path / "map.json"
    path.write_text('{"dog": 1}')
    assert ids_of_names({"dog"}, NET, path)[0] == {"dog": {1}}
    with pytest.raises(OptionError, match="a class map is name -> class ids"):
        ids_of_names({"dog"}, NET, [1])
