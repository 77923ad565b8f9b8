"""The output folder: another program's files are not overwritten, and what goes missing is noticed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from command_line import run
from image_folders import write_noise

from gradcam_tf1.atomic_files import make_folders, write_whole
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.own_outputs import foreign_file, is_output_folder
from gradcam_tf1.run.run_options import RunOptions


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp("out") / "photos", {f"{i}.png": (40, 50) for i in range(6)})


def contents(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


class TestFilesOfOthers:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("manifest.jsonl", '{"audio_filepath": "a.wav", "duration": 1}\n'),
            ("manifest.jsonl", "not json\n"),
            ("run.json", '{"model": "other"}'),
            ("run.json", "[1, 2]"),
        ],
    )
    @pytest.mark.parametrize("resume", [False, True])
    def test_are_not_overwritten(self, net, photos, tmp_path, name, text, resume):
        (tmp_path / name).write_text(text)
        with pytest.raises(
            OptionError, match=f"{name}' was not written by this toolkit, and a run would overwrite it; choose"
        ):
            net.visualize_imgs(str(photos), str(tmp_path), methods="gradcam", run=RunOptions(resume=resume))
        assert contents(tmp_path) == {name: text.encode()}

    def test_ours_are_begun_anew(self, net, photos, tmp_path):
        out = str(tmp_path / "out")
        net.visualize_imgs(str(photos), out, methods="gradcam")
        assert is_output_folder(out)
        (tmp_path / "out" / "run.json").write_text("damaged")
        assert foreign_file(out) == ""
        net.visualize_imgs(str(photos), out, methods="gradcam")
        assert json.loads((tmp_path / "out" / "run.json").read_text())["images"] == 6

    def test_an_empty_file_is_nobodys(self, net, photos, tmp_path):
        (tmp_path / "manifest.jsonl").write_text("")
        assert len(net.visualize_imgs(str(photos), str(tmp_path), methods="gradcam")) == 6


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
class TestLinks:
    """An output folder that a stranger made, with links that lead out of it."""

    def test_a_manifest_that_is_a_link_is_not_followed(self, net, photos, tmp_path):
        out, victim = tmp_path / "out", tmp_path / "victim"
        out.mkdir()
        victim.write_text("precious\n")
        (out / "run.json").write_text('{"gradcam_tf1": "0"}')
        (out / "manifest.jsonl").symlink_to(victim)
        for resume in (False, True):
            with pytest.raises(OSError, match="it is a link"):
                net.visualize_imgs(str(photos), str(out), methods="gradcam", run=RunOptions(resume=resume))
        assert victim.read_text() == "precious\n"

    def test_a_folder_that_is_a_link_outside_is_not_written_to(self, net, tmp_path):
        own = write_noise(tmp_path / "pics" / "sub", {"a.png": (40, 50)}).parent
        out, victim = tmp_path / "out", tmp_path / "victim"
        out.mkdir()
        victim.mkdir()
        (out / "sub").symlink_to(victim)
        for figures in ((), "layers"):
            with pytest.raises(OSError, match="leads outside of it"):
                net.visualize_imgs(str(own), str(out), methods="gradcam", run=RunOptions(figures=figures))
        assert not list(victim.iterdir())

    def test_settings_and_images_replace_a_link_and_not_what_it_names(self, net, photos, tmp_path):
        out, victim = tmp_path / "out", tmp_path / "victim"
        net.visualize_imgs(str(photos), str(out), methods="gradcam")
        name = next(out.glob("0.png*gradcam.png"))
        for path in (out / "run.json", name):
            path.unlink()
            victim.write_text("precious")
            path.symlink_to(victim)
        net.visualize_imgs(str(photos), str(out), methods="gradcam")
        assert victim.read_text() == "precious"
        assert name.stat().st_size > 100
        assert not name.is_symlink()

    def test_the_folder_itself_may_be_a_link(self, net, photos, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "out").symlink_to(tmp_path / "real")
        assert all(result.ok for result in net.visualize_imgs(str(photos), str(tmp_path / "out"), methods="gradcam"))


class TestRemoved:
    @pytest.mark.parametrize("figures", [(), ("layers",)])
    def test_a_folder_that_is_removed_during_the_run_ends_it(self, net, photos, tmp_path, figures):
        out = tmp_path / "out"

        def remove(result, _count):
            if result.index == 1:
                out.rename(tmp_path / "removed")  # at once: rmtree would fail where a file comes in between

        with pytest.raises(OSError, match="was removed"):
            net.visualize_imgs(
                str(photos),
                str(out),
                methods="gradcam",
                run=RunOptions(progress=remove, batch_size=1, threads=1, figures=figures),
            )
        assert not out.exists()

    @pytest.mark.parametrize("name", ["0.png", "a/b/0.png"])
    def test_it_is_not_made_again_whenever_it_goes(self, tmp_path, monkeypatch, name):
        monkeypatch.setattr("os.path.isdir", lambda _: True)  # as if it went right after a look at it

        def write():
            make_folders(str(tmp_path / "out"), str(tmp_path / "out" / name))
            write_whole(str(tmp_path / "out" / name), b"", "image")

        with pytest.raises(OSError, match="was removed"):
            write()
        assert not list(tmp_path.iterdir())

    def test_a_manifest_that_is_replaced_ends_it(self, net, photos, tmp_path):
        out = tmp_path / "out"

        def replace(result, _count):
            if result.index == 1:
                (out / "new").write_text("{}\n")
                os.replace(str(out / "new"), str(out / "manifest.jsonl"))

        with pytest.raises(OSError, match="manifest was removed or replaced"):
            net.visualize_imgs(
                str(photos), str(out), methods="gradcam", run=RunOptions(progress=replace, batch_size=1, threads=1)
            )
        assert (out / "manifest.jsonl").read_text() == "{}\n"

    def test_the_command_line_says_it_in_one_line(self, photos, tmp_path, monkeypatch):
        out = tmp_path / "out"
        monkeypatch.setattr("gradcam_tf1.cli.progress.Tally.__call__", lambda *_: shutil.rmtree(str(out), True))
        told = run(photos, out, "--method", "gradcam", "--batch-size", 1, "-q", code=2)
        assert "was removed" in told
        assert len(told.strip().splitlines()) == 1


class TestResume:
    @pytest.fixture(scope="class")
    def kept(self, net, photos, tmp_path_factory):
        out = tmp_path_factory.mktemp("kept") / "out"
        net.visualize_imgs(
            str(photos), str(out), methods="gradcam", style=Style(raw=True), run=RunOptions(figures="layers")
        )
        return out

    @pytest.fixture
    def finished(self, kept, tmp_path):
        return Path(shutil.copytree(str(kept), str(tmp_path / "out")))

    @pytest.mark.parametrize("damage", ["removed", "empty"])
    def test_outputs_that_are_gone_or_empty_are_made_again(self, net, photos, finished, damage):
        before = contents(finished)
        for name in before:
            if name.startswith(("1.png", "4.png.figure", "5.png")):
                (finished / name).unlink() if damage == "removed" else (finished / name).write_bytes(b"")
        results = net.visualize_imgs(
            str(photos),
            str(finished),
            methods="gradcam",
            style=Style(raw=True),
            run=RunOptions(figures="layers", resume=True),
        )
        assert contents(finished) == before
        assert [result.ok for result in results] == [True] * 6

    def test_what_is_there_is_left_alone(self, net, photos, finished):
        (name,) = finished.glob("2.png*gradcam.png")
        name.write_bytes(b"kept")
        net.visualize_imgs(
            str(photos),
            str(finished),
            methods="gradcam",
            style=Style(raw=True),
            run=RunOptions(figures="layers", resume=True),
        )
        assert name.read_bytes() == b"kept"

    def test_an_image_that_cannot_give_them_any_more_is_said(self, tmp_path):
        own = write_noise(tmp_path / "own", {"a.png": (40, 50), "b.png": (40, 50)})
        out = tmp_path / "out"
        run(own, out, "--method", "gradcam")
        next(out.glob("a.png*gradcam.png")).unlink()
        (own / "a.png").write_bytes(b"damaged")
        told = run(own, out, "--method", "gradcam", "--resume", code=2)
        assert "outputs of 'a.png' are gone, and they differ now" in told


class TestOutputsOfEarlierRunsBelowTheInput:
    @pytest.fixture
    def mixed(self, net, tmp_path):
        """Images, with a run's outputs among them."""
        folder = write_noise(tmp_path / "mixed", {"a.png": (40, 50), "b.png": (40, 50)})
        net.visualize_imgs(str(folder / "a.png"), str(folder / "results" / "first"), methods="gradcam")
        return folder

    def test_are_not_explained(self, net, mixed, tmp_path):
        for given in (mixed, mixed / "**" / "*.png"):
            results = net.visualize_imgs(str(given), str(tmp_path / "out"), methods="gradcam")
            assert [result.relative for result in results] == ["a.png", "b.png"]

    def test_are_explained_where_they_are_named_themselves(self, net, mixed, tmp_path):
        results = net.visualize_imgs(str(mixed / "results" / "first"), str(tmp_path / "out"), methods="gradcam")
        assert len(results) == 2  # the overlay and the heat map

    def test_images_there_only_are_none(self, net, mixed, tmp_path):
        with pytest.raises(OptionError, match="in output folders only"):
            net.visualize_imgs(str(mixed / "results"), str(tmp_path / "out"), methods="gradcam")

    def test_a_manifest_of_another_program_is_no_sign_of_a_run(self, net, mixed, tmp_path):
        (mixed / "results" / "first" / "run.json").write_text("{}")
        assert len(net.visualize_imgs(str(mixed), str(tmp_path / "out"), methods="gradcam")) == 4
