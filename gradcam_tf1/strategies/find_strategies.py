"""What does a class look at over a whole folder? Clusters of its maps, and those at suspect places."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import asdict
from typing import Callable, List, Optional, Sequence

import numpy as np

from gradcam_tf1._version import __version__
from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.errors import OptionError
from gradcam_tf1.report.page import write_page
from gradcam_tf1.report.report_folder import check_output_folder
from gradcam_tf1.report.stored_strategies import STRATEGIES_NAME, check_free
from gradcam_tf1.report.write_report import update_report
from gradcam_tf1.run.manifest_lines import plain_values, readable, strict_json
from gradcam_tf1.strategies.class_maps import ClassMaps, MapCollector
from gradcam_tf1.strategies.cluster_maps import cluster_maps
from gradcam_tf1.strategies.map_places import SIDE, place_of
from gradcam_tf1.strategies.strategy_options import StrategyOptions
from gradcam_tf1.strategies.strategy_records import ClassStrategies, Strategies, Strategy

TABLE_NAME = "strategies.csv"
_DEFAULT = StrategyOptions()


def find_strategies(
    out_folder: str,
    options: StrategyOptions = _DEFAULT,
    progress: Optional[Callable[[str, Optional[int]], None]] = None,
) -> Strategies:
    """Find out what each class of a run looks at: cluster its maps, and name those at suspect places.

    The maps are placed on their images, stretched to a square, averaged to 16 x 16 shares and clustered by class, see
    `cluster_maps`. Writes strategies.json and strategies.csv to the output folder, and the page "Strategies" of its
    report, which is brought up to date.

    Parameters
    ----------
    out_folder : str
        The output folder of `visualize_imgs`, of images.
    options : StrategyOptions
        Method, layer, truth, number of clusters.
    progress : callable or None
        Called with the name of each image and the number of all, None if unknown.

    Returns
    -------
    Strategies

    Raises
    ------
    OptionError
        If the folder is not that of a run, its maps cannot be read, no class has enough images, or another program has
        a file of that name.
    ManifestError
        If a line of the manifest is damaged.
    OSError
        If a file cannot be read or written.

    References
    ----------
    Unmasking Clever Hans predictors and assessing what machines really learn, https://arxiv.org/abs/1902.10178
    """
    if not isinstance(options, StrategyOptions):
        raise OptionError(f"options is {options!r}; give options=StrategyOptions(...)")
    check_free(check_output_folder(out_folder), TABLE_NAME)
    collector = MapCollector(options.method, options.layer)
    folder, index = update_report(
        out_folder, options.truth, max_pixels=options.max_pixels, progress=progress, collect=collector.add
    )
    found = _strategies(collector, options, os.path.join(folder.path, "index.html"))
    stored = {
        **{"gradcam_tf1": __version__, "digest": index["digest"], "options": asdict(options)},
        **found.as_json(),
    }
    _write(folder.out_folder, STRATEGIES_NAME, strict_json(plain_values(stored), indent=1) + "\n")
    _write(folder.out_folder, TABLE_NAME, _table(found))
    write_page(folder.path, plain_values({**index, "strategies": stored}))
    return found


def _strategies(collector: MapCollector, options: StrategyOptions, page: str) -> Strategies:
    classes = collector.classes()
    enough = [each for each in classes if len(each.maps) >= options.least_images]
    if not enough:
        raise OptionError(_too_few(classes, collector, options.least_images))
    method, layer = collector.key or ("", "")
    few = {_name(each, classes): len(each.maps) for each in classes if len(each.maps) < options.least_images}
    found = tuple(_of_class(each, options) for each in enough)
    return Strategies(method, layer, found, few, collector.empty, collector.unread, page)


def _too_few(classes: Sequence[ClassMaps], collector: MapCollector, least: int) -> str:
    """Return why there is nothing to cluster, and what to do."""
    most = f"{len(classes[0].maps)} of class {_name(classes[0], classes)}" if classes else "none"
    lost = f"; {collector.empty} maps have no positive value" if collector.empty else ""
    if collector.unread:
        lost += f"; {collector.unread} maps cannot be read, `gradcam-tf1 run --report` keeps their numbers"
    return (
        f"no class has {least} maps, the most are {most}{lost}; explain more images, or give a smaller least_images "
        "(--least-images)"
    )


def _name(maps: ClassMaps, classes: Sequence[ClassMaps]) -> str:
    """Return the label, with the id where several classes are called so."""
    if not maps.label:
        return f"class {maps.class_id}"
    same = sum(each.label == maps.label for each in classes)
    return maps.label if same == 1 else f"{maps.label} (class {maps.class_id})"


def _of_class(maps: ClassMaps, options: StrategyOptions) -> ClassStrategies:
    shares = np.stack(maps.maps)
    labels = cluster_maps(shares.reshape(len(shares), -1), options.clusters, options.seed)
    found = [_strategy(maps, shares, np.flatnonzero(labels == number), number) for number in range(labels.max() + 1)]
    return ClassStrategies(maps.class_id, maps.label, len(shares), tuple(found))


def _strategy(maps: ClassMaps, shares: np.ndarray, members: np.ndarray, number: int) -> Strategy:
    own = shares[members]
    mean = own.mean(axis=0)
    distance = np.square(np.sqrt(own) - np.sqrt(mean)).reshape(len(own), SIDE * SIDE).sum(axis=1)
    order = members[np.argsort(distance, kind="stable")]
    right = [float(maps.right[n]) for n in members if maps.right[n] is not None]
    known = [maps.probabilities[n] for n in members if maps.probabilities[n] is not None]
    return Strategy(
        *(number, len(members) / len(shares)),
        accuracy=float(np.mean(right)) if right else None,
        probability=float(np.mean(known)) if known else None,
        place=place_of(own),
        mean=mean,
        idents=tuple(maps.idents[n] for n in order),
        names=tuple(maps.names[n] for n in order),
    )


def _table(found: Strategies) -> str:
    """Return one line per map: image, class, cluster, and whether the cluster is suspect."""
    text = io.StringIO()
    rows: List[Sequence[object]] = [("image", "class_id", "label", "cluster", "place", "suspect")]
    for each in found.classes:
        for strategy in each.strategies:
            facts = (each.class_id, each.label or "", strategy.number + 1, strategy.place.name, strategy.suspect)
            rows += [(name, *facts) for name in strategy.names]
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write(out_folder: str, name: str, text: str) -> None:
    write_whole(os.path.join(out_folder, name), readable(text).encode("utf-8"), "strategies")
