"""The kinds of sources: how each is recognised and what opens it. A new kind is one more row."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from typing import Any, Callable, Iterator, NamedTuple, Sequence, Union

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.file_names import Relatives, archive_extension, is_image_name
from gradcam_tf1.images.folder_listing import check_out, folder_images, pattern_images, relative_to
from gradcam_tf1.images.folder_walk import FILE, expand, fixed_part, has_magic
from gradcam_tf1.images.image_source import ImageSource, MissingImage, WholeFile, image_file
from gradcam_tf1.images.list_files import listed_images, piped_images
from gradcam_tf1.images.packed_files import head_of
from gradcam_tf1.images.tar_archive import is_tar, tar_images
from gradcam_tf1.images.tfrecord import is_tfrecord, tfrecord_images
from gradcam_tf1.images.zip_archive import is_zip, zip_images

PathsGiven = Union[str, "os.PathLike[str]", Sequence[Any]]


class SourceKind(NamedTuple):
    """A kind of source. recognise: by the words given. open: (words, real path of the output folder) -> images."""

    name: str
    recognise: Callable[[str], bool]
    open: Callable[[str, str], Iterator[ImageSource]]


def _is_pattern(given: str) -> bool:
    return has_magic(given) and not os.path.lexists(given)


def _archive(suffixes: Sequence[str], has_head: Callable[[bytes], bool]) -> Callable[[str], bool]:
    """Recognises by the extension or the first bytes; a file with an image's name is not looked into."""
    return lambda given: archive_extension(given) in suffixes or (not is_image_name(given) and has_head(head_of(given)))


_TAR = ("tar", "tar.gz", "tgz", "tar.bz2", "tbz2", "tar.xz", "txz")
_ARCHIVES = (
    SourceKind("zip archive", _archive(("zip",), is_zip), lambda given, _out: zip_images(given)),
    SourceKind("tar archive", _archive(_TAR, is_tar), lambda given, _out: tar_images(given)),
    SourceKind(
        "TFRecord file",
        _archive(("tfrecord", "tfrecords"), is_tfrecord),
        lambda given, _out: tfrecord_images(given),
    ),
)


def _archives_images(pattern: str, out: str) -> Iterator[ImageSource]:
    """The images of all archives that fit the pattern, one archive after the other."""
    root = fixed_part(pattern)[0]
    for path, kind, _, _ in expand(pattern, out):
        if kind == FILE:
            yield from _below(path, relative_to(path, root), out)


def _file_image(given: str, _out: str) -> Iterator[ImageSource]:
    yield image_file(given, os.path.basename(given))


SOURCES = (
    SourceKind("standard input", lambda given: given == "-", lambda _given, _out: piped_images()),
    SourceKind("list of paths", lambda given: given.startswith("@"), lambda given, _out: listed_images(given[1:])),
    SourceKind("folder", os.path.isdir, folder_images),
    SourceKind(
        "pattern of archives",
        lambda given: _is_pattern(given) and archive_extension(given) != "",
        _archives_images,
    ),
    SourceKind("pattern", _is_pattern, pattern_images),
    *_ARCHIVES,
    SourceKind("file", lambda _given: True, _file_image),
)


def iter_images(source: PathsGiven, out_folder: str = "") -> Iterator[ImageSource]:
    """The images of a folder, file, pattern, archive, TFRecord file, `@list`, standard input (`-`) or several.

    They come one at a time, in the same order and under the same names in every run. Memory does not depend on how many
    there are in a folder; it is about 16 bytes for each in a list or archive. What cannot be read is an image too,
    whose `read` says why. Of several sources each has a folder of its name in `relative`. out_folder is left out.
    Raises: ImageFileError where a path leads nowhere or no image is found at all; OptionError where the output folder
    is where images are looked for.
    """
    out = os.path.realpath(out_folder) if out_folder else ""
    count = 0
    for given in _given(source):
        _check(given, out)
        count += 1
    if not count:
        raise ImageFileError("no images: the list of paths is empty")
    images = _several(source, out) if count > 1 else _open(next(_given(source)), out)
    return itertools.chain([next(images)], images)


def _given(source: PathsGiven) -> Iterator[str]:
    if isinstance(source, (list, tuple)):
        for one in source:
            yield from _given(one)
    elif isinstance(source, (str, os.PathLike)):
        given = os.fspath(source)
        yield "@" + os.path.expanduser(given[1:]) if given.startswith("@") else os.path.expanduser(given)
    else:
        raise ImageFileError(f"images are given as a folder, file, pattern or list of these, not {source!r}")


def _check(given: str, out: str) -> None:
    """What can be known before the run begins."""
    path = given[1:] if given.startswith("@") else given
    if given != "-" and not os.path.lexists(path) and not _is_pattern(given):
        raise ImageFileError(f"no such file or folder: {path!r}")
    if os.path.isdir(given):
        check_out(given, given, out)
    elif _is_pattern(given):
        check_out(fixed_part(given)[0], given, out)


def _open(given: str, out: str) -> Iterator[ImageSource]:
    """The images of one source. Raises: ImageFileError where there is none."""
    row = next(row for row in SOURCES if row.recognise(given))
    found = False
    for image in row.open(given, out):
        found = True
        yield image
    if not found:
        raise ImageFileError(f"no images in the {row.name} {given!r}")


def _several(source: PathsGiven, out: str) -> Iterator[ImageSource]:
    tops = Relatives()
    for given in _given(source):
        yield from _below(given, tops(_top(given)), out)


def _below(given: str, top: str, out: str) -> Iterator[ImageSource]:
    """The images of one of several sources; where it has none, that is a lost image."""
    try:
        for image in _open(given, out):
            alone = image.source == given and isinstance(image.content, WholeFile)  # a file that is named itself
            yield replace(image, relative=top) if alone else image.below(top)
    except ImageFileError as error:
        yield ImageSource(given, top, MissingImage(str(error)))


def _top(given: str) -> str:
    if given == "-":
        return "stdin"
    path = fixed_part(given)[0] if _is_pattern(given) else given.lstrip("@")
    return os.path.basename(os.path.abspath(path)) or "unnamed"
