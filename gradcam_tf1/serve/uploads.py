"""The images and parameters of a request: a form with files, or the bytes of one image. Nothing is written to disk."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, List, Tuple, Union

import bottle

from gradcam_tf1.errors import MediaTypeError, OptionError

MOST_IMAGES = 8
FIELD = "image"
_MOST_PARAMETERS = 100
_LONGEST_NAME = 200
_HOW = (
    "send images as files of a form, curl -F image=@photo.jpg URL, or the bytes of one image as image/jpeg or similar"
)


@dataclass(frozen=True)
class Upload:
    """One image as it was sent.

    Attributes
    ----------
    name : str
        What the client calls it, for people only; never a path.
    data : bytes
        The encoded image.
    """

    name: str
    data: bytes = field(repr=False)


def read_uploads(request: Any) -> Tuple[List[Upload], List[Tuple[str, str]]]:
    """Read the images and the parameters of a bottle request: those of its address, and the fields of its form.

    Raises
    ------
    OptionError
        If there is no image, there are too many, or the form is damaged.
    MediaTypeError
        If the body is something else.
    """
    pairs = _parameters(request)
    kind = request.content_type.split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        uploads, fields = _of_form(request)
        pairs += fields
    elif kind.startswith("image/") or kind in ("application/octet-stream", "application/dicom"):
        with closing(request.body) as body:
            uploads = [Upload("image", body.read())]
    else:
        raise MediaTypeError(f"the body is {kind[:60]!r}; {_HOW}")
    if not uploads or not all(upload.data for upload in uploads):
        raise OptionError(f"no image came with the request; {_HOW}")
    if len(uploads) > MOST_IMAGES:
        raise OptionError(f"{len(uploads)} images came with the request; at most {MOST_IMAGES}")
    if len(pairs) > _MOST_PARAMETERS:
        raise OptionError(f"{len(pairs)} parameters came with the request; at most {_MOST_PARAMETERS}")
    return uploads, pairs


def _parameters(request: Any) -> List[Tuple[str, str]]:
    try:
        return list(request.query.decode().allitems())
    except ValueError as error:
        raise OptionError("the parameters of the address are not UTF-8") from error


def _of_form(request: Any) -> Tuple[List[Upload], List[Tuple[str, str]]]:
    try:
        with closing(request.body):  # a file, if it is long
            parts = [(name, _content(part)) for name, part in request.POST.allitems()]
    except (bottle.HTTPError, ValueError, LookupError) as error:
        reason = getattr(error, "body", None) or error
        raise OptionError(f"the form cannot be read ({str(reason)[:60]}); {_HOW}") from error
    others = [name for name, part in parts if isinstance(part, Upload) and name != FIELD]
    if others:
        raise OptionError(f"the form has a file in the field {str(others[0])[:60]!r}; name it {FIELD!r}")
    uploads = [part for _, part in parts if isinstance(part, Upload)]
    return uploads, [(str(name), part) for name, part in parts if not isinstance(part, Upload)]


def _content(part: Any) -> Union[str, Upload]:
    """Return the value of a field, or the content of a file, whose place on disk is freed."""
    if isinstance(part, str):
        return part
    with closing(part.file) as file:
        return Upload(shown_name(part.raw_filename), file.read())


def shown_name(given: Any) -> str:
    """Return the last part of a client's file name, printable and short."""
    name = str(given or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
    safe = "".join(char if char.isprintable() else "?" for char in name[:_LONGEST_NAME])
    return safe or "image"
