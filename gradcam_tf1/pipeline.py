"""Folder in, folder out: list, read, fit, explain, draw, write. One batch at a time; no map is kept."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any, Callable, Iterable, Iterator, Sequence

import numpy as np

from gradcam_tf1 import __version__
from gradcam_tf1.errors import GradientError, ImageFileError, OptionError, RunError, TargetError
from gradcam_tf1.geometry import Fitted
from gradcam_tf1.images import MAX_PIXELS, ImageFile, read_image
from gradcam_tf1.listing import list_pictures
from gradcam_tf1.manifest import ManifestWriter, write_run
from gradcam_tf1.methods import expand_methods
from gradcam_tf1.naming import Namer
from gradcam_tf1.results import FAILED, Result, Results, TargetRecord
from gradcam_tf1.writing import PictureWriter, Style

DEFAULT_METHODS = ("gradcam", "guided_gradcam")

# Original pictures of one batch are held until they are drawn on; large ones make smaller batches (3 bytes a pixel).
_BATCH_PIXELS = 48_000_000


@dataclass
class _Picture:
    """One picture on its way: what is asked of it, then what was read and fitted, or why it could not be."""

    index: int
    file: ImageFile
    targets: Any
    stem: str
    image: np.ndarray | None = None
    fitted: Fitted | None = None
    error: str = ""


def visualize(
    net: Any,
    imgs_path: Any,
    out_folder: str,
    *,
    targets: Any = None,
    methods: str | Sequence[str] | None = None,
    layers: Any = None,
    batch_size: int | None = None,
    naming: str = "source",
    colormap: str = "jet",
    alpha: float = 0.5,
    heatmaps: bool = True,
    raw: bool = False,
    share_scale: bool = True,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[Result, int], None] | None = None,
) -> Results:
    """Explain every picture of a folder and write overlays, heat maps, guided pictures, manifest.jsonl and run.json.

    Args:
        net: GradCamGraph. imgs_path: folder (recursive), file, glob, or a list of these. out_folder: made if absent.
        targets: None for each picture's top class; a class id or name; a list of these for all pictures; or one row of
            ids or names per picture of the listing.
        methods: names from METHODS or METHOD_GROUPS; None: Grad-CAM and Guided Grad-CAM, as far as the net allows.
        layers: layer names or counts from the end; None: the bound layer. batch_size: pictures held at a time.
        naming: "source" or "indexed", see `naming.py`. colormap, alpha, heatmaps, raw, share_scale: see `Style`.
        max_pixels: larger pictures are refused. progress: called with each result and the number of all pictures.

    Returns: one Result per picture, in the order of the listing; it is also the array of predicted classes.

    Raises:
        OptionError, TargetError, GradientError; ImageFileError where there is no picture at all. A picture that
        cannot be read does not end the run: its result and its line in the manifest say why.
    """
    style = Style(colormap, alpha, heatmaps, raw, share_scale)
    namer = Namer(naming)
    out_folder = os.path.expanduser(os.fspath(out_folder))
    listing = list_pictures(imgs_path, out_folder)
    rows = _rows(targets, len(listing))
    names, warnings = _usable(net, methods, layers)
    size = net.batch_size if batch_size is None else batch_size
    if size < 1:
        raise OptionError(f"batch_size is the number of pictures held at a time, at least 1, not {size}")
    os.makedirs(out_folder, exist_ok=True)
    asked = {"targets": targets, "methods": names, "layers": layers, "naming": naming, "max_pixels": max_pixels}
    write_run(out_folder, {**_about(net), **asked, **asdict(style), "images": len(listing), "warnings": warnings})
    writer = PictureWriter(out_folder, namer, style)
    results: list[Result] = []
    with ManifestWriter(out_folder) as manifest:
        waiting = (
            _Picture(i, file, row, namer.stem(file.relative, i)) for i, (file, row) in enumerate(zip(listing, rows))
        )
        pictures = (_read(net, picture, max_pixels) for picture in waiting)
        for batch in _batches(pictures, size):
            for result in _explain(net, writer, batch, names, layers):
                manifest.write(result)
                results.append(result)
                if progress is not None:
                    progress(result, len(listing))
    return Results(results, out_folder, manifest.path, tuple(warnings))


def _rows(targets: Any, count: int) -> list[Any]:
    """What to ask of each picture of the listing: its own row where targets are rows, else the same of all."""
    if not isinstance(targets, (list, tuple, np.ndarray)) or not any(np.ndim(row) for row in targets):
        return [targets] * count
    if len(targets) != count:
        raise TargetError(f"targets has {len(targets)} rows, but there are {count} pictures; give one row for each")
    return [list(row) for row in targets]


def _usable(net: Any, methods: str | Sequence[str] | None, layers: Any) -> tuple[list[str], list[str]]:
    """The methods to run, and one sentence for each default method that this net does not allow."""
    if methods is not None:
        return expand_methods(methods), []
    names, reasons = net.usable_methods(DEFAULT_METHODS, layers)
    if not names:
        raise GradientError(next(iter(reasons.values())))
    return names, [f"{name} was left out: {reason}" for name, reason in reasons.items()]


def _about(net: Any) -> dict[str, Any]:
    binding = net.binding
    keys = ("input", "logits", "probabilities", "layer", "feeds")
    about = {"gradcam_tf1": __version__, "model": net.model.source, "kind": net.model.kind}
    return {**about, **{key: getattr(binding, key) for key in keys}, "fit": net.fit_mode, "preset": str(net.preset)}


def _read(net: Any, picture: _Picture, max_pixels: int) -> _Picture:
    try:
        picture.image = read_image(picture.file.path, max_pixels)
        picture.fitted = net.fit_image(picture.image)
    except ImageFileError as error:
        picture.error = str(error)
    return picture


def _batches(pictures: Iterable[_Picture], size: int) -> Iterator[list[_Picture]]:
    """Consecutive pictures, at most `size`, and fewer where they are large."""
    batch: list[_Picture] = []
    pixels = 0
    for picture in pictures:
        batch.append(picture)
        pixels += 0 if picture.image is None else picture.image.shape[0] * picture.image.shape[1]
        if len(batch) >= size or pixels >= _BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _explain(net: Any, writer: PictureWriter, batch: list[_Picture], methods: list[str], layers: Any) -> list[Result]:
    """Results of one batch, in its order; pictures of one fitted shape go through the net together."""
    groups: dict[tuple[Any, int], list[_Picture]] = {}
    for picture in batch:
        if picture.fitted is not None:
            groups.setdefault((picture.fitted.pixels.shape, np.size(picture.targets)), []).append(picture)
    results = {}
    for (shape, _), group in groups.items():
        same = all(picture.targets is group[0].targets for picture in group)
        targets = group[0].targets if same else [picture.targets for picture in group]
        try:
            explanation = net.explain([picture.fitted for picture in group], targets, methods, layers)
        except RunError as error:
            if None not in net.binding.image_size:
                raise
            for picture in group:  # a net of free size has its limits too: too small a picture shrinks to nothing
                picture.error = (
                    f"{picture.file.path!r}: {error}; its pixels came to {shape[0]}x{shape[1]}, another size may do"
                )
            continue
        for n, picture in enumerate(group):
            records = writer.write(picture.image, picture.stem, explanation, n, net.labels)
            results[picture.index] = _result(picture, int(explanation.predicted[n]), records)
    return [results[picture.index] if picture.index in results else _result(picture) for picture in batch]


def _result(picture: _Picture, predicted: int = FAILED, targets: Sequence[TargetRecord] = ()) -> Result:
    size = None if picture.image is None else picture.image.shape[:2]
    return Result(
        predicted,
        source=picture.file.path,
        relative=picture.file.relative,
        index=picture.index,
        error=picture.error,
        size=size,
        targets=targets,
    )
