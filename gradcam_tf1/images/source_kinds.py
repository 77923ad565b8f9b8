"""The kinds of sources of images: how each is recognised and opened. A new kind is one more row of SOURCES."""

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
    """A kind of source.

    Attributes
    ----------
    name : str
        What it is, for messages.
    recognise : callable
        Source as given -> whether it is of this kind.
    open : callable
        (source as given, real path of the output folder) -> its images.
    """

    name: str
    recognise: Callable[[str], bool]
    open: Callable[[str, str], Iterator[ImageSource]]


def _is_pattern(given: str) -> bool:
    return has_magic(given) and not os.path.lexists(given)


def _archive(suffixes: Sequence[str], has_head: Callable[[bytes], bool]) -> Callable[[str], bool]:
    """Return a function that recognises by extension or first bytes; a file with an image extension is not opened."""
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
    """Yield the images of all archives that match the pattern, archive by archive."""
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
    """Yield the images of a source one by one, in the same order and under the same names in every run.

    Memory does not grow with the images in a folder; a list or archive takes about 16 bytes for each image. Something
    that cannot be read is yielded, too, as an image whose `read` says why.

    Parameters
    ----------
    source : str, os.PathLike or sequence of these
        A folder, file, pattern, archive, TFRecord file, "@" and the path of a list, or "-" for standard input. With
        several sources, the images of each have a folder of its name in `relative`.
    out_folder : str
        The output folder, which is skipped; "" for none.

    Returns
    -------
    iterator of ImageSource

    Raises
    ------
    ImageFileError
        If a path does not exist, or there is no image.
    OptionError
        If the output folder is the folder of the images.
    """
    out = os.path.realpath(out_folder) if out_folder else ""
    count = 0
    for given in _paths_given(source):
        _check(given, out)
        count += 1
    if not count:
        raise ImageFileError("no images: the list of paths is empty; give a folder, file or pattern")
    images = _several(source, out) if count > 1 else _open(next(_paths_given(source)), out)
    return itertools.chain([next(images)], images)


def _paths_given(source: PathsGiven) -> Iterator[str]:
    if isinstance(source, (list, tuple)):
        for part in source:
            yield from _paths_given(part)
    elif isinstance(source, (str, os.PathLike)):
        given = os.fspath(source)
        yield "@" + os.path.expanduser(given[1:]) if given.startswith("@") else os.path.expanduser(given)
    else:
        raise ImageFileError(f"images are given as a folder, file, pattern or list of these, not {source!r}")


def _check(given: str, out: str) -> None:
    """Check what can be checked before the run begins."""
    path = given[1:] if given.startswith("@") else given
    if given != "-" and not os.path.lexists(path) and not _is_pattern(given):
        raise ImageFileError(f"no such file or folder: {path!r}")
    if os.path.isdir(given):
        check_out(given, given, out)
    elif _is_pattern(given):
        check_out(fixed_part(given)[0], given, out)


def _open(given: str, out: str) -> Iterator[ImageSource]:
    """Yield the images of one source; raise ImageFileError where there is none."""
    kind = next(kind for kind in SOURCES if kind.recognise(given))
    empty = True
    for image in kind.open(given, out):
        empty = False
        yield image
    if empty:
        raise ImageFileError(f"no images in the {kind.name} {given!r}")


def _several(source: PathsGiven, out: str) -> Iterator[ImageSource]:
    tops = Relatives()
    for given in _paths_given(source):
        yield from _below(given, tops(_top(given)), out)


def _below(given: str, top: str, out: str) -> Iterator[ImageSource]:
    """Yield the images of one of several sources; a source without images becomes an image that cannot be read."""
    try:
        for image in _open(given, out):
            alone = image.source == given and isinstance(image.content, WholeFile)  # a file given directly
            yield replace(image, relative=top) if alone else image.below(top)
    except ImageFileError as error:
        yield ImageSource(given, top, MissingImage(str(error)))


def _top(given: str) -> str:
    if given == "-":
        return "stdin"
    path = fixed_part(given)[0] if _is_pattern(given) else given.lstrip("@")
    return os.path.basename(os.path.abspath(path)) or "unnamed"
