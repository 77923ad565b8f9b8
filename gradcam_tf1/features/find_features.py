"""`find_features`: draw what units of a net see, and find the images that activate them most."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.features.bound_units import BoundUnit, bind_units
from gradcam_tf1.features.drawn_pictures import DrawnPicture, draw_pictures
from gradcam_tf1.features.feature_files import check_features, write_features
from gradcam_tf1.features.feature_options import FeatureOptions
from gradcam_tf1.features.feature_report import FeatureReport, SeenFeature, TopImage
from gradcam_tf1.features.feature_unit import as_units
from gradcam_tf1.features.noise_images import noise_values
from gradcam_tf1.features.top_images import ScannedImages, open_images, scan_images
from gradcam_tf1.features.unit_net import UnitNet
from gradcam_tf1.images.bands import picked
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.images.window import shades
from gradcam_tf1.run.settings import net_settings

if TYPE_CHECKING:
    from gradcam_tf1.graph import GradCamGraph

_OPTIONS = FeatureOptions()


def find_features(
    net: GradCamGraph,
    units: Any,
    images: Any = None,
    out_folder: Optional[str] = None,
    *,
    options: FeatureOptions = _OPTIONS,
) -> FeatureReport:
    """Draw the picture that activates each unit most, and find the images that do.

    The picture maximises the mean of v . A over the positions, or a class's logit, by Adam on its Fourier spectrum, in
    decorrelated colours, under random shifts, turns and sizes. The net is not changed.

    Parameters
    ----------
    net : GradCamGraph
        A net of images.
    units : FeatureUnit, int, str or list of these
        Channels, directions and classes; an id or name is a class.
    images : str, list of str or None
        Images to search, as in `visualize_imgs`. None searches none.
    out_folder : str or None
        Gets a picture and a sheet for each unit, and features.json; images inside it are skipped. None writes nothing.
    options : FeatureOptions
        Steps, views, number of images, seed.

    Returns
    -------
    FeatureReport

    Raises
    ------
    OptionError, BindingError, TargetError
        If the net takes no images, its preprocessing is not known, it has no such unit, or another program has a file
        of that name.
    GradientError
        If no gradient leads from the unit to the pixels.
    ImageFileError
        If no image can be read.
    RunError
        If the net fails, or values are not finite.
    OSError
        If a file cannot be written.

    References
    ----------
    Feature Visualization, https://doi.org/10.23915/distill.00007
    """
    if not isinstance(options, FeatureOptions):
        raise OptionError(f"options is {options!r}; give options=FeatureOptions(...)")
    if images is None and not options.steps:
        raise OptionError("without steps and without images there is nothing to do; give one of them")
    folder = None if out_folder is None else as_folder(out_folder)
    bound = UnitNet(net, options.values)
    known = bind_units(as_units(units), bound.explainer, bound.fed)
    if folder is not None:
        check_features(folder, [unit.token for unit in known])
    stream = None if images is None else open_images(net, images, folder or "", options)
    pictures = _pictures(bound, known, options)
    scanned = ScannedImages([[] for _ in known])
    if stream is not None:
        scanned = scan_images(bound, known, stream, options)
    noise = noise_values(bound, known, options)
    report = FeatureReport(
        model=net.model.source,
        features=tuple(_seen(*each, scanned.note, options) for each in zip(known, pictures, noise, scanned.tops)),
        images=scanned.count,
        failed=scanned.failed,
        settings=_settings(net, options),
    )
    return report if folder is None else write_features(folder, report)


def _pictures(net: UnitNet, units: Sequence[BoundUnit], options: FeatureOptions) -> List[Optional[DrawnPicture]]:
    """Return the picture of each unit; those of one place are drawn together."""
    found: List[Optional[DrawnPicture]] = [None] * len(units)
    keys = list(dict.fromkeys(unit.key for unit in units)) if options.steps else []
    total = options.steps * len(keys)

    def step() -> None:
        if options.progress is not None:
            options.progress("pictures", total)

    for key in keys:
        places = [n for n, unit in enumerate(units) if unit.key == key]
        for n, picture in zip(places, draw_pictures(net, [units[n] for n in places], options, step)):
            found[n] = picture
    return found


def _seen(
    unit: BoundUnit,
    picture: Optional[DrawnPicture],
    noise: float,
    top: Sequence[TopImage],
    note: str,
    options: FeatureOptions,
) -> SeenFeature:
    notes = ["" if picture is None else picture.note or _weak(unit, picture, noise)]
    notes.append(note if unit.class_id is not None else "")
    return SeenFeature(
        name=unit.name,
        unit=unit.unit,
        layer="" if unit.place.layer is None else unit.place.layer.name,
        class_id=unit.class_id,
        picture=None if picture is None else _shown(picture.pixels, options),
        pixels=None if picture is None else picture.pixels,
        start=None if picture is None else picture.start,
        reached=None if picture is None else picture.reached,
        noise=noise,
        top=tuple(top),
        note="; ".join(filter(None, notes)),
        token=unit.token,
    )


def _weak(unit: BoundUnit, picture: DrawnPicture, noise: float) -> str:
    """Return what is wrong with a picture that random images surpass."""
    if unit.sign * picture.reached >= unit.sign * noise:
        return ""
    views = "--angle 10 --jitter 2 --zoom 0.1, in Python angle=10, jitter=2, zoom=0.1"
    rest = "; or --everywhere --prior 0, alone=False, prior=0" if unit.class_id is not None else ""
    return (
        f"noise surpasses the picture, which does not show what the unit looks for; give more steps, or {views}{rest}"
    )


def _shown(pixels: np.ndarray, options: FeatureOptions) -> np.ndarray:
    """Return pixels as RGB: the lowest value of the range is black, the highest white."""
    return np.ascontiguousarray(shades(picked(pixels, (), "the picture"), *options.values))


def _settings(net: GradCamGraph, options: FeatureOptions) -> Dict[str, Any]:
    own = {name: value for name, value in asdict(options).items() if name not in ("progress", "max_pixels")}
    return {**net_settings(net), **own}
