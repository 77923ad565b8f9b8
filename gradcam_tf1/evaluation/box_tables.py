"""Read boxes from a CSV file with a line per object. No TensorFlow here."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from gradcam_tf1.errors import OptionError, RegionError
from gradcam_tf1.evaluation.object_records import ObjectsOfImage, TrueObject, box_of, size_of
from gradcam_tf1.images.geometry import Size
from gradcam_tf1.run.per_image import CLASS_HEADERS, IMAGE_HEADERS
from gradcam_tf1.run.tables import read_table

_NAMES = (*CLASS_HEADERS, "class_name", "name", "category")
# the four headers -> the number of the first pixel: PASCAL VOC counts from 1 and includes the last ones
_BOXES = {("left", "top", "right", "bottom"): 0, ("xmin", "ymin", "xmax", "ymax"): 1}
_FORM = (
    "image,class,left,top,right,bottom (pixels from 0, the last two exclusive) or "
    "image,class,xmin,ymin,xmax,ymax (as PASCAL VOC: pixels from 1, the last two included)"
)


def read_box_table(path: str) -> Dict[str, ObjectsOfImage]:
    """Read a table with a header, separated by commas, semicolons or tabs.

    The columns may be in any order: the image, the class, and either left, top, right, bottom, which count from 0 and
    exclude the last two, or xmin, ymin, xmax, ymax, which count from 1 and include them. Columns width and height are
    the size of the image. A line with an image and four empty sides means an image without objects.

    Parameters
    ----------
    path : str
        The CSV file.

    Returns
    -------
    dict
        Image as written -> its objects.

    Raises
    ------
    OptionError
        If the file cannot be read, or a line does not fit; the message names it.
    """
    rows = read_table(path)
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    image, name = _column(header, IMAGE_HEADERS), _column(header, _NAMES)
    sides = next((sides for sides in _BOXES if all(side in header for side in sides)), None)
    if image is None or name is None or sides is None:
        raise OptionError(f"{path!r} needs a header: {_FORM}")
    if len(set(header)) < len(header):
        raise OptionError(f"{path!r} has two columns of one name in {','.join(header)!r}; remove or rename one")
    objects: Dict[str, List[TrueObject]] = {}
    sizes: Dict[str, Optional[Size]] = {}
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise OptionError(f"{path!r}, line {number}: {len(row)} cells, the header has {len(header)}")
        cells = dict(zip(header, (cell.strip() for cell in row)))
        if not cells[header[image]]:
            raise OptionError(f"{path!r}, line {number}: no image is named")
        found = objects.setdefault(cells[header[image]], [])
        sizes.setdefault(cells[header[image]], size_of(cells.get("height"), cells.get("width")))
        if any(cells[side] for side in sides):
            found.append(TrueObject(*_named_box(path, number, cells[header[name]], cells, sides)))
    return {
        item: ObjectsOfImage(tuple(found), sizes[item], f"{path!r}, image {item!r}") for item, found in objects.items()
    }


def _column(header: Sequence[str], names: Sequence[str]) -> Optional[int]:
    return next((number for number, cell in enumerate(header) if cell in names), None)


def _named_box(
    path: str, number: int, name: str, cells: Mapping[str, str], sides: Tuple[str, str, str, str]
) -> Tuple[str, Tuple[int, int, int, int]]:
    if not name:
        raise OptionError(f"{path!r}, line {number}: the box has no class")
    left, top, right, bottom = (cells[side] for side in sides)
    try:
        return name, box_of(left, top, right, bottom, _BOXES[sides])
    except (OptionError, RegionError) as error:
        raise OptionError(f"{path!r}, line {number}: {error}") from error
