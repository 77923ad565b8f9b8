"""Commands that write a few named files replace their own ones only."""

from __future__ import annotations

import json

import pytest
from command_line import SCENES, command

from gradcam_tf1.errors import OptionError
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model
from gradcam_tf1.run.naming import file_token
from gradcam_tf1.run.own_record import check_names, own_record

NET = (demo_model(), "--preset", "inception", "--quiet")
SANITY = ("--method", "gradcam", "--mode", "cascade", "--blocks", "2", "--check", "repeat")
FEATURES = ("features", *NET, "--class", "0")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (FEATURES, "features.json"),
        (FEATURES, "class-0.png"),
        (FEATURES, "class-0.sheet.png"),
        (("sanity", *NET, SCENES[0].path, *SANITY), "sanity.json"),
        (("sanity", *NET, SCENES[0].path, *SANITY), "sanity.html"),
        (("concepts", *NET, SCENES[0].path), "concepts.csv"),
    ],
)
def test_files_of_others_are_kept(words, name, tmp_path):
    (tmp_path / name).write_text('{"mine": 1}')
    text = " ".join(command(*words, "--out", tmp_path, code=2).split())
    assert (
        f"{name}' was not written by this toolkit, and would be overwritten; move it away, or choose another folder"
        in text
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == '{"mine": 1}'


def test_a_later_search_replaces_what_it_does_not_show(tmp_path):
    """A picture that an earlier search drew is not beside the sheet of one that draws none; other units stay."""
    command(*FEATURES, "--class", "1", "--steps", "1", "--out", tmp_path)
    command(*FEATURES, "--steps", "0", "--images", SCENES[0].path, "--top", "1", "--out", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "class-0.sheet.png",
        "class-1.png",
        "class-1.sheet.png",
        "features.json",
    ]
    stored = json.loads((tmp_path / "features.json").read_text())
    assert [each["files"] for each in stored["features"]] == [{"sheet": "class-0.sheet.png"}]


def test_pictures_of_an_earlier_search_for_concepts_go(tmp_path):
    """concept_08.png of eight concepts is none of two; what another program put there stays."""
    command("concepts", *NET, SCENES[0].path, SCENES[1].path, "--concepts", "8", "--out", tmp_path)
    (tmp_path / "concept_images" / "concept_99.png").write_text("mine")
    command("concepts", *NET, SCENES[0].path, "--concepts", "2", "--out", tmp_path)
    names = sorted(path.name for path in (tmp_path / "concept_images").iterdir())
    assert names == ["concept_01.png", "concept_02.png", "concept_99.png", "image_00001.png"]


def test_sanity_replaces_its_own_files(tmp_path):
    for _ in range(2):
        command("sanity", *NET, SCENES[0].path, *SANITY, "--out", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sanity.html", "sanity.json"]


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100000, '{"settings": 1}', '{"settings": {"a": 1}}', ""])
def test_a_damaged_record_is_not_ours(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    assert own_record(str(tmp_path), "a.json") == {}
    with pytest.raises(OptionError, match=r"a\.json' was not written by this toolkit"):
        check_names(str(tmp_path), ["b.png", "a.json"], "a.json")


def test_a_record_behind_a_link_is_not_ours(tmp_path):
    (tmp_path / "real.json").write_text('{"gradcam_tf1": "0"}')
    (tmp_path / "a.json").symlink_to(tmp_path / "real.json")
    assert own_record(str(tmp_path), "a.json") == {}
    assert own_record(str(tmp_path), "real.json") == {"gradcam_tf1": "0"}


@pytest.mark.parametrize(("name", "token"), [("con", "_con"), ("Lpt1", "_Lpt1"), ("console", "console"), ("../x", "x")])
def test_names_that_windows_reserves(name, token):
    assert file_token(name) == token
    assert file_token(DEMO_CLASSES[0]) == DEMO_CLASSES[0]
