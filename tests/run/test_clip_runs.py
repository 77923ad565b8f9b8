"""Runs of clips: folders of frames and animated files, the frames that are taken, and what is written of each."""

from __future__ import annotations

import io
import os
import tarfile

import numpy as np
import pytest
from clip_nets import clip_graph
from flat_options import grouped
from PIL import Image

from gradcam_tf1.drawing.style import Style, draw
from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.clip_folders import even_numbers, find_clips, natural
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.run.manifest import read_manifest
from gradcam_tf1.run.run_options import RunOptions

HIGH, WIDE = 12, 16


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(clip_graph().as_graph_def(), preset="zero-one") as ours:
        yield ours


def frame(number):
    """Told by its colour: steps of 20 survive every format that keeps all of it."""
    image = np.full((HIGH, WIDE, 3), 30, np.uint8)
    image[2:8, 3:9] = (20 * (number % 12), 200, 255 - 20 * (number % 12))
    return image


def numbers_of(image):
    return [int(round(each[4, 5, 0] / 20)) for each in image.frames]


def write_frames(folder, names):
    os.makedirs(str(folder))
    for number, name in enumerate(names):
        Image.fromarray(frame(number)).save(str(folder / name))


def write_animation(path, count, **options):
    frames = [Image.fromarray(frame(number)) for number in range(count)]
    frames[0].save(str(path), save_all=True, append_images=frames[1:], **options)


def test_frames_are_taken_evenly_from_the_first_to_the_last():
    assert even_numbers(12, 4) == [0, 4, 7, 11]
    assert even_numbers(4, 4) == [0, 1, 2, 3]
    assert even_numbers(9, 1) == [0]
    assert even_numbers(0, 0) == []


def test_names_are_sorted_as_people_count():
    names = ["f10.png", "F2.png", "f1.png", "g01.png", "g1.png", "f.png"]
    assert sorted(names, key=natural) == ["f1.png", "F2.png", "f10.png", "f.png", "g01.png", "g1.png"]


def test_each_folder_of_frames_is_a_clip(tmp_path):
    write_frames(tmp_path / "in" / "b", [f"frame{number}.png" for number in range(11)])
    write_frames(tmp_path / "in" / "b" / "inner", [f"{number}.png" for number in range(4)])
    write_frames(tmp_path / "in" / "a", [f"{number}.png" for number in range(4)])
    clips = find_clips(iter_images(str(tmp_path / "in")), 4)
    assert [clip.relative for clip in clips] == ["a", "b", "b/inner"]
    assert [clip.source for clip in clips] == [str(tmp_path / "in" / name) for name in ("a", "b", "b/inner")]
    image = clips[1].read()
    assert image.numbers == (0, 3, 7, 10)
    assert numbers_of(image) == [0, 3, 7, 10]  # frame10 is behind frame9


def test_a_folder_alone_is_one_clip(tmp_path):
    write_frames(tmp_path / "jump", [f"{number}.png" for number in range(4)])
    (clip,) = find_clips(iter_images(str(tmp_path / "jump")), 4)
    assert clip.relative == "jump"


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.gif", {}), ("a.png", {}), ("a.webp", {"lossless": True}), ("a.tiff", {}), ("a.TIF", {"format": "TIFF"})],
)
def test_an_animated_file_is_a_clip(name, options, tmp_path):
    write_animation(tmp_path / name, 9, **options)
    (clip,) = find_clips(iter_images(str(tmp_path)), 4)
    image = clip.read()
    assert (clip.relative, image.numbers) == (name, (0, 3, 5, 8))
    np.testing.assert_array_equal(image.frames, [frame(number) for number in image.numbers])


def test_files_of_one_frame_are_frames(tmp_path):
    write_frames(tmp_path / "in", ["1.gif", "2.png", "3.webp", "4.tiff"])
    (clip,) = find_clips(iter_images(str(tmp_path / "in")), None)
    assert clip.read().numbers == (0, 1, 2, 3)


def test_an_animation_too_large_or_too_long_is_not_decoded(tmp_path, monkeypatch):
    write_animation(tmp_path / "a.gif", 5)
    header = bytearray((tmp_path / "a.gif").read_bytes())
    header[6:10] = b"\xff\xff\xff\xff"  # 65535 x 65535
    (tmp_path / "huge.gif").write_bytes(bytes(header))
    clips = find_clips(iter_images(str(tmp_path)), 4)
    assert [(clip.animated, len(clip.frames)) for clip in clips] == [(True, 1), (False, 1)]
    monkeypatch.setattr("gradcam_tf1.images.frame_sizes.MAX_FRAMES", 4)
    with pytest.raises(ImageFileError, match="more than the 4 frames"):
        clips[0].read()


def test_transparent_frames_lie_on_white(tmp_path):
    clear = Image.new("RGBA", (8, 6), (255, 0, 0, 0))
    clear.save(str(tmp_path / "a.png"), save_all=True, append_images=[Image.new("RGBA", (8, 6), (0, 0, 255, 255))])
    (clip,) = find_clips(iter_images(str(tmp_path)), 2)
    assert clip.read().frames[:, 0, 0].tolist() == [[255, 255, 255], [0, 0, 255]]


def test_a_run_writes_every_frame(net, tmp_path):
    write_frames(tmp_path / "in" / "walk", [f"{number}.png" for number in range(6)])
    write_animation(tmp_path / "in" / "walk.gif", 6)
    out = tmp_path / "out"
    results = net.visualize_imgs(str(tmp_path / "in"), str(out), targets=1, methods=["gradcam", "guided_backprop"])
    assert [result.relative for result in results] == ["walk.gif", "walk"]
    assert any("4 frames are explained, evenly" in warning for warning in results.warnings)
    lines = list(read_manifest(str(out / "manifest.jsonl")))
    for line in lines:
        assert line["size"] == [HIGH, WIDE]
        files = {kind: name for record in line["targets"][0]["maps"] for kind, name in record["files"].items()}
        assert sorted(files) == sorted(
            f"{kind}.f000{n}" for kind in ("overlay", "heatmap", "pixels") for n in (0, 2, 3, 5)
        )
        assert all((out / name).is_file() for name in files.values())
        assert line["targets"][0]["maps"][0]["peak"][0] in (0, 2, 3, 5)
    written = [name for line in lines for record in line["targets"][0]["maps"] for name in record["files"].values()]
    assert len(set(written)) == len(written) == len(list(out.glob("*.png"))) == 24
    check_overlays(net, out, lines[1])


def check_overlays(net, out, line):
    """All frames on one scale: that of the clip's strongest."""
    clip = np.stack([frame(number) for number in (0, 2, 3, 5)])
    found = net.explain(clip, targets=[1])
    placed = found.map("gradcam", 0).placed()
    record = line["targets"][0]["maps"][0]
    for place, number in enumerate((0, 2, 3, 5)):
        heat = found.statuses[found.key("gradcam")][0][0].maximum
        drawn = draw(clip[place], placed[place], found.placements[0].frame, "layer", Style(), heat)
        np.testing.assert_array_equal(
            read_image(str(out / record["files"][f"overlay.f000{number}"])), drawn.images["overlay"]
        )
    assert record["maximum"] == pytest.approx(float(found["gradcam"].max()), rel=1e-5)


def test_numbers_of_a_frame_place_its_map(net, tmp_path):
    write_frames(tmp_path / "in", [f"{number}.png" for number in range(4)])
    (result,) = net.visualize_imgs(
        str(tmp_path / "in"), str(tmp_path / "out"), targets=1, methods="gradcam", style=Style(raw=True)
    )
    found = net.explain([[frame(number) for number in range(4)]], targets=[1])
    with np.load(result.maps[0].files["raw.f0002"]) as packed:
        np.testing.assert_allclose(packed["map"], found["gradcam"][0, 0, 2], rtol=1e-5)
        assert packed["original"].tolist() == [HIGH, WIDE]


def test_numbered_names_have_their_frames_too(net, tmp_path):
    write_frames(tmp_path / "in", [f"{number}.png" for number in range(4)])
    out = tmp_path / "out"
    (result,) = net.visualize_imgs(
        str(tmp_path / "in"), str(out), targets=1, methods="gradcam", run=RunOptions(naming="indexed")
    )
    assert (out / "gradcam_0_class_1.f0003.png").is_file()
    np.testing.assert_array_equal(read_image(result.figures["original.f0003"]), frame(3))


def test_a_clip_that_does_not_fit_is_one_failure(net, tmp_path):
    write_frames(tmp_path / "in" / "good", [f"{number}.png" for number in range(4)])
    write_frames(tmp_path / "in" / "short", [f"{number}.png" for number in range(3)])
    write_frames(tmp_path / "in" / "torn", [f"{number}.png" for number in range(4)])
    write_frames(tmp_path / "in" / "uneven", [f"{number}.png" for number in range(4)])
    Image.fromarray(frame(1)[:5]).save(str(tmp_path / "in" / "uneven" / "1.png"))
    (tmp_path / "in" / "torn" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    results = net.visualize_imgs(str(tmp_path / "in"), str(tmp_path / "out"), methods="gradcam")
    assert [result.status for result in results] == ["ok", "error", "error", "error"]
    assert "has 3 frames, fewer than the 4 that the net takes" in results[1].error
    assert "2.png" in results[2].error
    assert "differ in size: 5x16, 12x16" in results[3].error


def test_a_run_of_clips_can_be_resumed(net, tmp_path):
    for name in ("a", "b", "c"):
        write_frames(tmp_path / "in" / name, [f"{number}.png" for number in range(4)])
    how = {"methods": "gradcam", "batch_size": 1}
    whole = net.visualize_imgs(str(tmp_path / "in"), str(tmp_path / "out"), **grouped(**how))
    seen = []
    stop = lambda: len(seen) >= 1  # noqa: E731
    again = str(tmp_path / "again")
    net.visualize_imgs(
        str(tmp_path / "in"), again, **grouped(stop=stop, progress=lambda result, _: seen.append(result), **how)
    )
    rest = net.visualize_imgs(str(tmp_path / "in"), again, **grouped(resume=True, **how))
    assert [result.relative for result in rest] == [result.relative for result in whole] == ["a", "b", "c"]
    assert [result.scores for result in rest] == [result.scores for result in whole]


def test_frames_of_a_packed_archive_are_refused(net, tmp_path):
    with tarfile.open(str(tmp_path / "a.tar.gz"), "w:gz") as packed:
        for number in range(4):
            stream = io.BytesIO()
            Image.fromarray(frame(number)).save(stream, "PNG")
            info = tarfile.TarInfo(f"clip/{number}.png")
            info.size = stream.tell()
            stream.seek(0)
            packed.addfile(info, stream)
    with pytest.raises(ImageFileError, match="packed archive; unpack it"):
        net.visualize_imgs(str(tmp_path / "a.tar.gz"), str(tmp_path / "out"), methods="gradcam")


@pytest.mark.parametrize("how", [{"figures": "methods"}, {"box": 0.5}])
def test_what_is_drawn_on_images_alone_is_refused(net, how, tmp_path):
    write_frames(tmp_path / "in", [f"{number}.png" for number in range(4)])
    with pytest.raises(OptionError, match="leave .* out for clips"):
        net.visualize_imgs(str(tmp_path / "in"), str(tmp_path / "out"), **grouped(**how))
