"""File names: no two alike on any platform, none outside the output folder."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.naming import NAMINGS, Namer, layer_tokens, slug

LAYERS = ("a/b:0", "a_b:0", "a b:0")
METHODS = ("gradcam", "guided_gradcam", "guided_backprop", "positive", "negative")
KINDS = ("overlay", "heatmap", "raw")


def main_name(relative, class_id=24, label="great grey owl", method="gradcam", naming="source", index=0):
    namer = Namer(naming)
    stem = namer.stem(relative, index)
    return namer.names(stem, namer.targets([class_id], [label])[0], method, "", ["overlay"])["overlay"]


def test_source_names_mirror_the_folders_and_keep_the_extension():
    assert main_name("birds/owl.jpg") == "birds/owl.jpg.c24-great-grey-owl.gradcam.png"
    assert main_name("owl.png") == "owl.png.c24-great-grey-owl.gradcam.png"
    assert main_name("owl.png", label=None) == "owl.png.c24.gradcam.png"
    assert main_name("owl.png", label="???", class_id=0) == "owl.png.c0.gradcam.png"


def test_indexed_names_are_those_of_the_issue():
    assert main_name("x/owl.jpg", label="owl", naming="indexed", index=7) == "gradcam_7_class_owl.png"
    assert (
        main_name("owl.jpg", method="guided_gradcam", naming="indexed") == "guided_gradcam_0_class_great-grey-owl.png"
    )
    assert main_name("owl.jpg", label=None, naming="indexed") == "gradcam_0_class_24.png"
    assert main_name("owl.jpg", label="../../a", naming="indexed") == "gradcam_0_class_a.png"


def test_every_kind_of_one_map():
    namer = Namer("source")
    assert namer.names("a.jpg", "c1", "gradcam", "", KINDS) == {
        "overlay": "a.jpg.c1.gradcam.png",
        "heatmap": "a.jpg.c1.gradcam.heatmap.png",
        "raw": "a.jpg.c1.gradcam.npz",
    }
    assert namer.names("a.jpg", "c1", "guided_backprop", "", ["pixels"]) == {"pixels": "a.jpg.c1.guided_backprop.png"}


def test_layers_are_named_only_if_several_and_never_mixed_up():
    assert layer_tokens(["conv5/Relu:0"]) == {"": "", "fused": ".fused", "conv5/Relu:0": ""}
    tokens = layer_tokens(LAYERS)
    assert tokens == {"": "", "fused": ".fused", "a/b:0": ".l1-a-b-0", "a_b:0": ".l2-a_b-0", "a b:0": ".l3-a-b-0"}
    names = Namer("indexed").names("0", "cat", "gradcam", tokens["a_b:0"], ["overlay", "heatmap"])
    assert names["overlay"] == "gradcam_0_class_cat.l2-a_b-0.png"
    assert names["heatmap"] == "gradcam_0_class_cat.l2-a_b-0.heatmap.png"


def test_two_classes_of_one_label_get_their_ids():
    tokens = Namer("indexed").targets([134, 517, 3], ["crane", "crane", "robin"])
    assert tokens == ["crane-134", "crane-517", "robin"]
    assert Namer("source").targets([134, 517], ["crane", "crane"]) == ["c134-crane", "c517-crane"]
    assert Namer("indexed").targets([1, 2], ["Cat", "cat"]) == ["Cat", "cat~2"]


def test_stems_alike_but_for_case_or_accent_form_are_told_apart():
    namer = Namer()
    given_names = ["Cat.jpg", "cat.jpg", "CAT.jpg", "cat.jpg~2", "caf\u00e9.png", "cafe\u0301.png"]
    stems = [namer.stem(name, i) for i, name in enumerate(given_names)]
    assert stems == ["Cat.jpg", "cat.jpg~2", "CAT.jpg~3", "cat.jpg~2~2", "caf\u00e9.png", "cafe\u0301.png~2"]


@pytest.mark.parametrize(
    ("relative", "stem"),
    [
        ("../../etc/x.jpg", ".%2E/.%2E/etc/x.jpg"),
        ("/etc/x.jpg", "etc/x.jpg"),
        ("a//./b.jpg", "a/%2E/b.jpg"),
        ("C:a|b?.jpg", "C%3Aa%7Cb%3F.jpg"),
        ("two\nlines\x1b[31m.jpg", "two%0Alines%1B[31m.jpg"),
        ("right\u202eto-left.jpg", "right%E2%80%AEto-left.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf%E9.jpg"),
        ("\ud800.jpg", "%ED%A0%80.jpg"),
        ("con.jpg", "_con.jpg"),
        ("end. ", "end.%20"),
        ("shots.PNG/a.jpg", "shots.PNG_/a.jpg"),
        ("manifest.jsonl/a.jpg", "manifest.jsonl_/a.jpg"),
        ("\u732b \U0001f431.jpg", "\u732b \U0001f431.jpg"),
        ("", "_"),
    ],
)
def test_what_a_platform_cannot_have_is_escaped(relative, stem):
    assert Namer().stem(relative, 0) == stem


def test_deep_folders_have_a_hash_for_a_name():
    namer, deep, wide = Namer(), "d/" * 1500, "/".join(["w" * 200] * 20) + "/"
    stems = [namer.stem(folders + name, 0) for folders in (deep, deep + "e/", wide) for name in ("a.png", "b.png")]
    assert len(set(stems)) == 6
    assert all(re.fullmatch(r"[0-9a-f]{16}/[ab]\.png", stem) for stem in stems)
    assert Namer().stem(deep + "a.png", 0) == stems[0]
    assert Namer().stem("d/" * 100 + "a.png", 0) == "d/" * 100 + "a.png"


def test_long_names_are_shortened_with_a_hash_and_stay_different():
    namer = Namer()
    first, second = (namer.stem("\u00e4" * 120 + end, 0) for end in ("1.jpg", "2.jpg"))
    assert first != second
    assert all(re.fullmatch("\u00e4{55}~[0-9a-f]{8}", stem) for stem in (first, second))


def test_slug_has_neither_dots_nor_separators():
    assert slug("n02123045 tabby, tabby cat") == "n02123045-tabby-tabby-cat"
    assert slug("sports_car.v1/../x") == "sports_car-v1-x"
    assert slug("\u732b") == "\u732b"
    assert len(slug("\u732b" * 99).encode()) <= 40


def test_unknown_naming():
    with pytest.raises(OptionError, match="no naming 'pretty'; possible: source, indexed"):
        Namer("pretty")


NASTY = st.text(
    st.one_of(
        st.sampled_from("aAbB./\\~%: \n\u0301\u00e9_-c1"), st.characters(), st.sampled_from("\udcff\ud800\udc80")
    ),
    max_size=20,
)
NEAR = st.sampled_from(
    [
        "a",
        "A",
        "a.c1.gradcam",
        "a.c1.gradcam.png",
        "a.c1.gradcam.png/a",
        "a~2",
        "a.c1",
        "manifest.jsonl",
        "../a",
        "%2E",
        "..",
        "a.c1.gradcam.l1-x",
    ]
)


def as_a_file_system_sees(name):
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


LABELS = st.one_of(NASTY, st.none(), st.sampled_from(["crane", "Crane", "crane-1", "1"]))
ABOUTS = st.one_of(st.sampled_from(["", "", "not 1", "not-1", "region", "1"]), NASTY)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(NASTY, NEAR), min_size=1, max_size=6),
    st.dictionaries(st.tuples(st.integers(-1, 12), ABOUTS), LABELS, min_size=1, max_size=4),
    st.sampled_from(NAMINGS),
    st.booleans(),
)
def test_no_two_files_collide_and_all_lie_inside_the_folder(relatives, targets, naming, several):
    layers = LAYERS if several else LAYERS[:1]
    namer = Namer(naming)
    class_ids, abouts = zip(*targets)
    written = []
    for index, relative in enumerate(relatives):
        stem = namer.stem(relative, index)
        tokens = namer.targets(class_ids, list(targets.values()), abouts)
        for token, method, layer in product(tokens, METHODS, map(layer_tokens(layers).get, layers)):
            written += namer.names(stem, token, method, layer, KINDS).values()
    seen = {as_a_file_system_sees(name) for name in written}
    assert len(seen) == len(written) == len(relatives) * len(targets) * len(METHODS) * len(layers) * len(KINDS)
    folders = {"/".join(name.split("/")[:i]) for name in seen for i in range(1, name.count("/") + 1)}
    assert not folders & (seen | {"manifest.jsonl", "run.json"})
    for name in written:
        assert os.path.normpath(os.path.join("out", name)) == os.path.join("out", name)
        name.encode("utf-8")
        for part in name.split("/"):
            assert 0 < len(part.encode()) <= 255
            assert not set(part) & set('<>:"\\|?*')
            assert not part.endswith((".", " "))


def test_names_depend_on_nothing_but_the_listing():
    listing = ["b/A.jpg", "b/a.jpg", "x" * 300]
    runs = [[namer.stem(name, i) for i, name in enumerate(listing)] for namer in (Namer(), Namer())]
    assert runs[0] == runs[1] == ["b/A.jpg", "b/a.jpg~2", "x" * 111 + "~" + hashlib.sha256(b"x" * 300).hexdigest()[:8]]


def test_names_of_figures():
    for naming, expected in (("source", "birds/owl.jpg.figure.layers.png"), ("indexed", "figure_3_layers.png")):
        namer = Namer(naming)
        stem = namer.stem("birds/owl.jpg", 3)
        assert namer.figure(stem, "layers") == expected
        assert Namer("source").targets([1], ["figure"]) == ["c1-figure"]
        maps = [namer.names(stem, t, m, "", KINDS).values() for t in ("figure", "c1-figure") for m in METHODS]
        assert expected not in {name for names in maps for name in names}
