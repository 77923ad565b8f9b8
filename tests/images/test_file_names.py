"""Property tests: relative names are harmless and unique, whatever the members, records and files are called."""

from __future__ import annotations

import io
import os
import shutil
import tempfile

import pytest
from archive_files import png_bytes, write_names
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradcam_tf1.images.file_names import Relatives, is_hidden
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.run.naming import Namer

PART = st.one_of(
    st.sampled_from(["..", ".", "", "a", "A", "b", "con", "a\\b", "C:", "~", "x" * 300, "\xe9", "e\u0301", "a b", "-"]),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), max_size=12),
)
NAME = st.builds(
    lambda parts, end: "/".join(parts) + end, st.lists(PART, max_size=20), st.sampled_from([".png", ".JPG"])
)
pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")
NAMES = st.lists(NAME, min_size=1, max_size=12)
PNG = png_bytes()
PATIENT = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def check(relatives):
    assert len(set(relatives)) == len(relatives)
    for relative in relatives:
        parts = relative.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert len(parts) <= 18
        assert len(relative.encode("utf-8", "surrogatepass")) <= 600
    namer = Namer()
    stems = [namer.stem(relative, place) for place, relative in enumerate(relatives)]
    assert len({os.path.normcase(stem) for stem in stems}) == len(stems)
    for stem in stems:
        assert not os.path.isabs(stem)
        assert ".." not in stem.split("/")


@PATIENT
@given(st.lists(st.text(max_size=30), max_size=40), st.sampled_from(["/", "/\\"]))
def test_any_texts(names, separators):
    relatives = Relatives()
    check([relatives(name, separators) for name in names])


@PATIENT
@given(NAMES, st.sampled_from(["tar", "tar.gz", "zip", "tfrecord", "txt"]))
def test_one_source(names, kind):
    folder = tempfile.mkdtemp()
    try:
        path = os.path.join(folder, f"a.{kind}")
        write_names(path, names, kind)
        wanted = [name for name in names if kind in ("tfrecord", "txt") or not is_hidden(name)]
        try:
            images = list(iter_images(f"@{path}" if kind == "txt" else path))
        except ValueError:
            assert not wanted
            return
        check([image.relative for image in images])
        again = iter_images(f"@{path}" if kind == "txt" else path)
        assert [image.relative for image in again] == [image.relative for image in images]
        if kind != "txt":
            assert len(images) == len(wanted)
            assert all(image.read().shape == (3, 4, 3) for image in images)
        assert os.listdir(folder) == [f"a.{kind}"]
    finally:
        shutil.rmtree(folder)


@PATIENT
@given(
    st.lists(
        st.sampled_from(["one", "deep/one", "one.zip", "deep/one.zip", "x.png", "deep/x.png"]), min_size=2, max_size=8
    )
)
def test_several_sources(sources):
    folder = tempfile.mkdtemp()
    try:
        for base in (folder, os.path.join(folder, "deep")):
            os.makedirs(os.path.join(base, "one", "sub"))
            for name in ("x.png", "one/x.png", "one/sub/x-2.png"):
                with open(os.path.join(base, name), "wb") as stream:
                    stream.write(PNG)
            stream = io.BytesIO()
            write_names(stream, ["x.png", "x-2.png", "sub/x.png", "x.png"], "zip")
            with open(os.path.join(base, "one.zip"), "wb") as target:
                target.write(stream.getvalue())
        paths = [os.path.join(folder, source) for source in sources]
        images = list(iter_images(paths))
        check([image.relative for image in images])
        counts = {"one": 2, "zip": 4, "png": 1}
        assert len(images) == sum(counts[source[-3:]] for source in sources)
        assert [image.relative for image in iter_images(paths)] == [image.relative for image in images]
    finally:
        shutil.rmtree(folder)
