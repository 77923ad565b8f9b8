"""Label files in the forms people have, and the way between names and ids."""

from __future__ import annotations

import pytest

from gradcam_tf1.errors import OptionError, TargetError
from gradcam_tf1.labels import Labels, read_labels


def written(tmp_path, text, name="labels.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return str(path)


def read(tmp_path, text, name="labels.txt"):
    return read_labels(written(tmp_path, text, name))


# Real files

REAL = {
    "labels/synset.txt": (1000, {0: "tench, Tinca tinca", 207: "golden retriever", 281: "tabby, tabby cat"}),
    "labels/imagenet1000_clsidx_to_labels.txt": (1000, {207: "golden retriever", 281: "tabby, tabby cat"}),
    "labels/imagenet_class_index.json": (1000, {207: "golden_retriever", 281: "tabby", 999: "toilet_tissue"}),
    "labels/mobilenet_v1_labels_1001.txt": (1001, {0: "background", 208: "golden retriever", 282: "tabby, tabby cat"}),
    "labels/imagenet_slim_labels.txt": (
        1001,
        {0: "dummy", 208: "golden retriever", 282: "tabby", 1000: "toilet tissue"},
    ),
    "labels/imagenet_comp_graph_label_strings.txt": (1001, {0: "dummy", 1: "kit fox", 125: "golden retriever"}),
    "labels/gtsrb_signnames.csv": (43, {0: "Speed limit (20km/h)", 17: "No entry", 12: "Priority road"}),
    # The numbers in this file are folder numbers; the line is the class.
    "pb/retrained_mobilenet_0.25_224_caltech256/labels.txt": (256, {0: "161 photocopier", 11: "121 kangaroo 101"}),
}


@pytest.mark.parametrize("name", REAL)
def test_real_label_files(models_dir, name):
    number, known = REAL[name]
    names = read_labels(str(models_dir / name))
    assert len(names) == number
    assert {i: names[i] for i in known} == known


def test_a_real_json_that_holds_no_labels(models_dir):
    with pytest.raises(OptionError, match=r"voc_to_imagenet.json' has 'aeroplane' where a class id is expected"):
        read_labels(str(models_dir / "labels" / "voc_to_imagenet.json"))


# Forms


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat\ndog\n", ["cat", "dog"]),
        ("cat\r\ndog\r\n\r\n", ["cat", "dog"]),
        ("\ufeffcat\ndog", ["cat", "dog"]),
        ("cat\n\ndog\n", ["cat", "class 1", "dog"]),
        ("n01440764 tench, Tinca tinca\nn01443537 goldfish\n", ["tench, Tinca tinca", "goldfish"]),
        ("n01440764\nn01443537\n", ["n01440764", "n01443537"]),
        ("background\nn01440764 tench\n", ["background", "tench"]),
        ("0:cat\n1:dog: big\n", ["cat", "dog: big"]),
        ("2: cat\n0: dog\n", ["dog", "class 1", "cat"]),
        ("0\tcat\n1\tdog\n", ["cat", "dog"]),
        ("0, cat\n1, dog\n", ["cat", "dog"]),
        ("0 cat\n1 big dog\n", ["cat", "big dog"]),
        ("0 cat\n3 dog\n", ["cat", "class 1", "class 2", "dog"]),
        ("1 cat\n2 dog\n", ["class 0", "cat", "dog"]),
        ("7 cat\n3 dog\n", ["7 cat", "3 dog"]),
        ("003 cat\n007 dog\n", ["003 cat", "007 dog"]),
        ("0 n01440764 tench\n1 n01443537 goldfish\n", ["tench", "goldfish"]),
        ("0\n1\n2\n", ["0", "1", "2"]),
        ("{0: 'tench, Tinca',\n 1: \"cock's comb\", 3: u'hen',}", ["tench, Tinca", "cock's comb", "class 2", "hen"]),
        ('{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}', ["tench", "goldfish"]),
        ('{"1": "dog", "0": "cat"}', ["cat", "dog"]),
        ('{"dog": 1, "cat": 0}', ["cat", "dog"]),
        ('["cat", "dog"]', ["cat", "dog"]),
        ("['cat', 'dog']", ["cat", "dog"]),
        ('[["n01440764", "tench"]]', ["tench"]),
        ("café\nœuf\n", ["café", "œuf"]),
        ("caf\xe9\n\x93owl\x94\x85\n".encode("latin-1"), ["café", "“owl”…"]),
        ("a\u2028b\nc\n", ["a\u2028b", "c"]),
        (9000 * "1" + " cat\n", [9000 * "1" + " cat"]),
    ],
)  # fmt: skip
def test_forms(tmp_path, text, names):
    assert read(tmp_path, text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ClassId,SignName\n0,Stop\n1,No entry\n", ["Stop", "No entry"]),
        ('id,name\n1,"curve, left"\n0,Stop\n', ["Stop", "curve, left"]),
        ("name;id\nStop;1\nGo;0\n", ["Go", "Stop"]),
        ("0,Stop\n1,Go\n", ["Stop", "Go"]),
        ("id,synset,label\n0,n1,cat\n1,n2,dog\n", ["cat", "dog"]),
        ("label\ncat\ndog\n", ["cat", "dog"]),
        ("cat\ndog\n", ["cat", "dog"]),
        ('id,name\n0,"two\nlines"\n1,dog\n', ["two\nlines", "dog"]),
        ("id,name\n0,\n1,dog\n", ["class 0", "dog"]),
        ("id,name\n²,cat\n", ["cat"]),
        ("name,colour\ncat,black\ndog,brown\n", ["cat", "dog"]),
    ],
)
def test_tables(tmp_path, text, names):
    assert read(tmp_path, text, "labels.csv") == names


# Refusals


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\xa0", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (bytes(range(256)), "is not a text file"),
        ("cat\ndog\n".encode("utf-16"), "is not a text file"),
        (b"cat\n" * 2_600_000, "is larger than 10,000,000 bytes"),
        ('{"0": 1.5}', "has 1.5 where a class name is expected"),
        ('{"0": {"name": "cat"}}', "where a class name is expected"),
        ('{"cat": "dog"}', "has 'cat' where a class id is expected"),
        ("{True: 'cat'}", "neither JSON nor a plain Python dict or list"),
        ("{0: __import__('os').getcwd()}", "neither JSON nor a plain Python dict or list"),
        ("{0: 'cat'", "neither JSON nor a plain Python dict or list"),
        ("{'cat', 'dog'}", "holds a set, not a dict or a list"),
        ("[1, 2]", "has 1 where a class name is expected"),
        ("{}", "holds no names"),
        ("[" * 100_000, "nested too deeply"),
        ("{0:" + "(" * 5000 + "'cat'" + ")" * 5000 + "}", "neither JSON nor a plain Python dict or list"),
        ("{0: " + "-" * 200_000 + "1}", "neither JSON nor a plain Python dict or list"),
        ("0:cat\n0:dog\n", "names class 0 twice: 'cat' and 'dog'"),
        ("0:cat\n999999999:dog\n", "has class id 999999999; possible are 0 to 100,000"),
        ('{"-1": "cat"}', "has '-1' where a class id is expected"),
        ('{"cat": -1, "dog": 0}', "has class id -1"),
        ('{"' + 5000 * "9" + '": "cat"}', r"has '9+\.\.\. where a class id is expected"),
        ('{"cat": true}', "where a class id is expected"),
    ],
)
def test_wrong_files_name_the_file_and_the_forms(tmp_path, text, reason):
    with pytest.raises(
        OptionError, match=rf"label file '.*labels.txt' .*{reason}.*; label files that can be read: one name per line"
    ):
        read(tmp_path, text)


@pytest.mark.parametrize("text", ["a,b\n1,2\n3,4\n", "id,name\n", ";", ",,\n;\n"])
def test_a_table_without_names(tmp_path, text):
    with pytest.raises(OptionError, match="has no column of names"):
        read(tmp_path, text, "labels.csv")


def test_a_table_with_an_endless_field(tmp_path):
    with pytest.raises(OptionError, match="is not a table .field larger"):
        read(tmp_path, "id,name\n0," + 200_000 * "x" + "\n", "labels.csv")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(OptionError, match=r"nowhere.txt' cannot be opened \(No such file"):
        read_labels(str(tmp_path / "nowhere.txt"))
    with pytest.raises(OptionError, match=r"cannot be opened \(Is a directory"):
        read_labels(str(tmp_path))


# Names and ids

IMAGENET = [f"thing {i}" for i in range(1000)]
IMAGENET[0], IMAGENET[207], IMAGENET[281] = "tench, Tinca tinca", "golden retriever", "tabby, tabby cat"


def test_names_that_fit():
    labels = Labels.for_classes(IMAGENET, 1000)
    assert (labels.offset, labels.note) == (0, "")
    assert labels.name(207) == "golden retriever"
    assert labels.name(0) == "tench"
    assert labels.full_name(0) == "tench, Tinca tinca"
    assert labels.name(1000) == labels.full_name(1000) == "class 1000"
    assert labels.name(-1) == "class -1"
    assert labels.ids("Golden_Retriever") == [207]


def test_1000_names_for_1001_classes():
    labels = Labels.for_classes(IMAGENET, 1001)
    assert labels.offset == 1
    assert labels.note == "the net has 1001 classes and there are 1000 names: class 0 is taken as background"
    assert [labels.name(i) for i in (0, 1, 208, 1000, 1001)] == [
        "background", "tench", "golden retriever", "thing 999", "class 1001",
    ]  # fmt: skip
    assert labels.ids("golden retriever") == [208]
    assert labels.ids("background") == [0]
    assert labels.ids("thing 999") == [1000]


def test_1001_names_for_1000_classes():
    labels = Labels.for_classes(["background", *IMAGENET], 1000)
    assert labels.offset == -1
    assert labels.note == "1001 names for 1000 classes: the first, 'background', is left out"
    assert [labels.name(i) for i in (0, 207, 999, 1000)] == ["tench", "golden retriever", "thing 999", "class 1000"]
    assert labels.ids("tench") == [0]
    with pytest.raises(TargetError, match="no class is named 'background'"):
        labels.ids("background")


def test_real_names_of_a_net_with_background(models_dir):
    names = read_labels(str(models_dir / "labels" / "synset.txt"))
    with_background = read_labels(str(models_dir / "labels" / "mobilenet_v1_labels_1001.txt"))
    shifted, plain = Labels.for_classes(names, 1001), Labels.for_classes(with_background, 1001)
    assert [shifted.full_name(i) for i in range(1001)] == [plain.full_name(i) for i in range(1001)]
    back, right = Labels.for_classes(with_background, 1000), Labels.for_classes(names, 1000)
    assert [back.full_name(i) for i in range(1000)] == [right.full_name(i) for i in range(1000)]


def test_a_known_background_class_of_a_small_net():
    assert Labels.for_classes(["cat", "dog"], 3, background=True).name(2) == "dog"
    with pytest.raises(OptionError, match="2 class names do not fit a net of 3 classes"):
        Labels.for_classes(["cat", "dog"], 3)


def test_names_numbered_from_one(tmp_path):
    labels = Labels.for_classes(read(tmp_path, "1 cat\n2 dog\n"), 2)
    assert [labels.name(0), labels.name(1)] == ["cat", "dog"]


def test_unknown_number_of_classes_and_one_logit():
    assert Labels.for_classes(["cat", "dog"], None).name(1) == "dog"
    assert Labels.for_classes(["cat", "dog"], 1).name(1) == "dog"
    with pytest.raises(OptionError, match="3 class names do not fit a net of 2 classes"):
        Labels.for_classes(["cat", "dog", "bird"], 1)


@pytest.mark.parametrize(("number", "classes"), [(1000, 10), (10, 1000), (1002, 1000), (1001, 1000), (256, 257)])
def test_other_mismatches_give_both_numbers(number, classes):
    with pytest.raises(OptionError, match=f"{number} class names do not fit a net of {classes} classes"):
        Labels.for_classes([f"thing {i}" for i in range(number)], classes)


ANIMALS = Labels(
    [
        "crane, bird",
        "tabby, tabby cat",
        "tiger cat",
        "tiger, Panthera tigris",
        "Persian_cat",
        "crane, machine",
        "dogsled, dog sled",
        "dog",
    ]
)


@pytest.mark.parametrize(
    ("text", "class_id"),
    [
        ("tabby", 1),
        ("TABBY CAT", 1),
        ("tabby, tabby cat", 1),
        ("tiger", 3),  # the first synonym of one class, only a part of another
        ("panthera tigris", 3),
        ("persian", 4),
        (" persian  cat ", 4),
        ("panth", 3),
        ("dog", 7),
        ("sled", 6),
        ("machine", 5),
    ],
)
def test_ids_by_name(text, class_id):
    assert ANIMALS.ids(text) == [class_id]


def test_first_synonyms_that_two_classes_share_are_told_apart():
    assert [ANIMALS.name(i) for i in (0, 1, 5)] == ["crane, bird", "tabby", "crane, machine"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crane", "'crane' names 2 classes: 0 'crane, bird', 5 'crane, machine'; give one of these or its id"),
        ("cat", "'cat' names 3 classes: 1 'tabby, tabby cat', 2 'tiger cat', 4 'Persian_cat'"),
        ("tabbi", "no class is named 'tabbi'; similar names: tabby; or give a class id"),
        ("xyzzy", "no class is named 'xyzzy'; the first names are 0 'crane, bird', 1 'tabby, tabby cat'"),
        ("", "no class is named ''"),
        ("  ", "no class is named '  '"),
    ],
)
def test_names_that_mean_no_class_or_several(text, message):
    with pytest.raises(TargetError, match=message):
        ANIMALS.ids(text)


def test_a_long_list_of_candidates_is_cut():
    with pytest.raises(TargetError, match=r"names 20 classes: .*, \.\.\.; give one"):
        Labels([f"part {i}" for i in range(20)]).ids("part")
