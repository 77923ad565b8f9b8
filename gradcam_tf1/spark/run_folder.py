"""Make the output folder of a run of the rows that a cluster wrote, for reports and for everything that reads runs."""

from __future__ import annotations

import io
import os
from dataclasses import asdict, replace
from functools import partial
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

from gradcam_tf1.atomic_files import make_folders, write_whole
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.own_outputs import MANIFEST_NAME, foreign_file
from gradcam_tf1.run.manifest import write_run
from gradcam_tf1.run.manifest_lines import line_of
from gradcam_tf1.run.naming import Namer, layer_tokens
from gradcam_tf1.run.result import MapRecord, Result
from gradcam_tf1.spark.parquet_rows import Row, StoredRows, stored_map


def write_run_folder(
    rows_folder: str, out_folder: str, progress: Optional[Callable[[str, Optional[int]], None]] = None
) -> str:
    """Write what a run would have written: images, raw maps, manifest.jsonl and run.json; return the folder.

    Parameters
    ----------
    rows_folder : str
        Parquet files of `explain_images`.
    out_folder : str
        Made if absent.
    progress : callable or None
        Called with the name of each image and the number of all.

    Raises
    ------
    OptionError
        If the rows are other data, or the folder holds another program's files.
    ManifestError
        If a row is damaged.
    OSError
        If a file cannot be written.
    """
    stored = StoredRows(rows_folder)
    if os.path.lexists(out_folder) and foreign_file(out_folder):
        raise OptionError(f"{out_folder!r} was not written by this toolkit; move it away")
    os.makedirs(out_folder, exist_ok=True)
    namer = Namer()
    lines: List[Tuple[str, bytes]] = []
    for result, rows in stored.images_rows():
        written = _with_files(result, rows, namer, out_folder)
        lines.append((result.relative, line_of(written, out_folder)))
        if progress is not None:
            progress(result.relative, len(stored))
    write_run(out_folder, {**stored.settings, "images": len(lines)})
    manifest = b"".join(line for _, line in sorted(lines))
    write_whole(os.path.join(out_folder, MANIFEST_NAME), manifest, "manifest")
    return out_folder


def _with_files(result: Result, rows: List[Row], namer: Namer, out_folder: str) -> Result:
    """Write the files of an image, and return its result with their paths."""
    stem = namer.stem(result.relative, 0)
    tokens = namer.targets(result.class_ids, result.labels, [target.about for target in result.targets])
    layers = layer_tokens(list(dict.fromkeys(map.layer for map in result.maps if map.layer not in ("", "fused"))))
    found = {(row["target"], row["method"], row["layer"]): row for row in rows}
    targets = []
    for t, (target, token) in enumerate(zip(result.targets, tokens)):
        maps = []
        for record in target.maps:
            names = partial(namer.names, stem, token, record.method, layers[record.layer])
            maps.append(_written(record, found[t, record.method, record.layer], names, out_folder))
        targets.append(replace(target, maps=tuple(maps)))
    return replace(result, targets=tuple(targets))


def _written(record: MapRecord, row: Row, names: Callable[..., Dict[str, str]], out_folder: str) -> MapRecord:
    values, placement, cells = stored_map(row)
    packed = io.BytesIO()
    np.savez_compressed(packed, map=values, **asdict(placement), **({} if cells is None else asdict(cells)))
    contents = {
        "raw": packed.getvalue(),
        "overlay": row["overlay"],
        ("heatmap" if row["overlay"] else "pixels"): row["map"],
    }
    files = {}
    for kind, name in names(kinds=[kind for kind, data in contents.items() if data]).items():
        ending = ".jpg" if kind == "overlay" else ""
        path = os.path.join(out_folder, *((os.path.splitext(name)[0] + ending) if ending else name).split("/"))
        make_folders(out_folder, path)
        write_whole(path, contents[kind], "map" if kind == "raw" else "image")
        files[kind] = path
    return replace(record, files=files)
