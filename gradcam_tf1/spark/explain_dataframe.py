"""`explain_images`: explain the images of a Spark DataFrame."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import fields, replace
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np
from pyspark.serializers import CloudPickleSerializer
from pyspark.sql.types import StructType

from gradcam_tf1.binding.anchor_files import anchor_bytes
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.labels import label_names
from gradcam_tf1.loaders import load_apart
from gradcam_tf1.methods.choices import Methods, method
from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.run.plan import usable_choices
from gradcam_tf1.run.run_options import RunOptions, RunRequest
from gradcam_tf1.run.settings import net_facts, net_settings, net_warnings, request_settings
from gradcam_tf1.run.target_rows import check_classes, differ
from gradcam_tf1.spark.partition_task import PartitionTask
from gradcam_tf1.spark.row_columns import COLUMNS, SETTINGS_KEY
from gradcam_tf1.spark.sent_model import send_model
from gradcam_tf1.targets import Boxes, Detections
from gradcam_tf1.types import LoadedModel

_LOG = logging.getLogger(__name__)

_EXPLAIN, _STYLE, _RUN = ExplainOptions(), Style(), RunOptions()
_POSSIBLE = ("batch_size", "max_pixels", "threads", "timeout", "window")  # of RunOptions


def explain_images(
    images: Any,
    model: Any,
    targets: Any = None,
    methods: Optional[Methods] = None,
    layers: Any = None,
    *,
    score: str = "logit",
    options: ExplainOptions = _EXPLAIN,
    style: Style = _STYLE,
    run: RunOptions = _RUN,
    net_class: Any = GradCamGraph,
    **net_options: Any,
) -> Any:
    """Explain the images of a DataFrame on a cluster.

    The request is checked here, before the first task. The model goes to each executor once, and each Python worker
    opens it once. The settings are in the metadata of the column `path`, which Parquet files keep.

    Parameters
    ----------
    images : pyspark.sql.DataFrame
        Columns `path` and `content`, the bytes of an image file, as `read_images` or Spark's binaryFile make them.
    model : path, LoadedModel or other source
        A model of any form, on the driver; see `load`.
    targets : None, int, str, target record or list
        The same for every image, see `GradCamGraph.explain`.
    methods, layers, score, options, style
        As in `visualize_imgs`. The raw maps are always kept.
    run : RunOptions
        Its batch_size, max_pixels, threads, timeout and window; the others belong to a folder.
    net_class : type
        GradCamGraph, or a subclass that the executors can import.
    **net_options
        Arguments of GradCamGraph, such as preset and labels.

    Returns
    -------
    pyspark.sql.DataFrame
        A row for each map of each target of each image, of a failed image one row with status "error"; COLUMNS.

    Raises
    ------
    ModelFileError, BindingError
        If the model cannot be loaded or bound.
    OptionError, TargetError, GradientError
        If the request does not fit the net or a cluster.
    """
    _check_request(images, targets, options, style, run)
    context = _context(images)
    loaded = model if isinstance(model, LoadedModel) else load_apart(model)
    given, targets = _sendable(net_options), _with_anchors(targets)
    asked = RunRequest(targets, methods, layers, score, options, replace(style, raw=True), run)
    with net_class(loaded, **given) as net:
        request, settings = _plan(net, asked)
    sent = send_model(context, loaded)
    pickler: Any = CloudPickleSerializer  # some versions of pyspark have types, without this one's
    key = hashlib.sha256(pickler().dumps((sent.sha256, net_class, given))).hexdigest()
    task = PartitionTask(key, sent, net_class, given, request)
    names = [name for name in ("path", "content", "length") if name in images.columns]
    return images.select(*names).mapInPandas(task.__call__, row_schema(settings))


def row_schema(settings: Mapping[str, Any]) -> Any:
    """Return the columns of the rows as a StructType, with the settings of the run in its metadata."""
    kept = {"path": {SETTINGS_KEY: strict_json(settings)}}
    return StructType.fromJson(
        {
            "type": "struct",
            "fields": [
                {"name": name, "type": kind, "nullable": True, "metadata": kept.get(name, {})}
                for name, kind in COLUMNS.items()
            ],
        }
    )


def _check_request(images: Any, targets: Any, options: Any, style: Any, run: Any) -> None:
    """Refuse what is no DataFrame of images, and what has no meaning on a cluster. Raises OptionError."""
    for name, value, kind in (("options", options, ExplainOptions), ("style", style, Style), ("run", run, RunOptions)):
        if not isinstance(value, kind):
            raise OptionError(f"{name} is {value!r}; give {name}={kind.__name__}(...)")
    columns = getattr(images, "columns", None)
    if not hasattr(images, "mapInPandas") or not {"path", "content"} <= set(columns or ()):
        raise OptionError(
            f"images is a Spark DataFrame with the columns path and content, not {columns or type(images).__name__}; "
            "read_images makes one"
        )
    if differ(targets):
        raise OptionError("on a cluster all images have the same targets; for targets per image use visualize_imgs")
    if options.inputs is not None or options.progress is not None:
        raise OptionError(
            "a cluster takes no further inputs and shows no progress; leave options.inputs and progress out"
        )
    default = RunOptions()
    for item in fields(RunOptions):
        if item.name not in _POSSIBLE and getattr(run, item.name) != getattr(default, item.name):
            raise OptionError(f"run.{item.name} belongs to a run into a folder; possible: {', '.join(_POSSIBLE)}")


def _context(images: Any) -> Any:
    """Return the SparkContext. Raises OptionError where a session has none, or its GPUs cannot be told apart."""
    if type(images).__module__.startswith("pyspark.sql.connect"):
        raise OptionError("Spark Connect cannot send a model to the executors; use a classic session (spark-submit)")
    context = images.sparkSession.sparkContext
    conf = context.getConf()
    of_executor = float(conf.get("spark.executor.resource.gpu.amount", "0"))
    of_task = float(conf.get("spark.task.resource.gpu.amount", "0"))
    if of_task and of_executor > max(1.0, of_task):
        raise OptionError(
            f"an executor has {of_executor:g} GPUs and a task {of_task:g}; a Python worker cannot change its GPU from "
            "task to task: set spark.executor.resource.gpu.amount to spark.task.resource.gpu.amount"
        )
    return context


def _sendable(net_options: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the arguments of the net without paths, which executors do not have. Raises OptionError."""
    if net_options.get("devices"):
        raise OptionError("on a cluster Spark chooses the devices; leave devices out, and see docs/scale.md for GPUs")
    return {**net_options, **({"labels": label_names(net_options["labels"])} if "labels" in net_options else {})}


def _with_anchors(targets: Any) -> Any:
    """Read the anchors of detections from their files, which executors do not have. Raises TargetError."""
    if isinstance(targets, (list, tuple)):
        return [_with_anchors(target) for target in targets]
    if not isinstance(targets, Detections) or not isinstance(targets.boxes, Boxes) or targets.boxes.anchors is None:
        return targets
    anchors = np.frombuffer(anchor_bytes(targets.boxes.anchors), np.float32).reshape(-1, 4)
    return replace(targets, boxes=replace(targets.boxes, anchors=anchors))


def _plan(net: BoundNet, asked: RunRequest) -> Tuple[RunRequest, Dict[str, Any]]:
    """Check the request against the net. Return it with the methods that the net allows, and the settings."""
    binding = net.binding
    if binding.array_shape is not None or binding.frame_order:
        raise OptionError("a cluster explains images; for signals, volumes and clips use explain or visualize_imgs")
    net.check_inputs([])
    check_classes([asked.targets], binding.classes, net.labels)
    _try_one(net)
    methods, reasons = usable_choices(net, asked.methods, asked.layers)
    warnings = [*net_warnings(net), *(f"{name} was left out: {reason}" for name, reason in reasons.items())]
    for warning in warnings:
        _LOG.warning("%s", warning)
    batch_size = net.batch_size if asked.run.batch_size is None else asked.run.batch_size
    settings = {
        **net_settings(net),
        **request_settings(asked, methods, {}),
        **{"images": None, "batch_size": batch_size, "warnings": warnings},
        **net_facts(net),
    }
    return replace(asked, methods=[method(name, **given) for name, given in methods.items()]), settings


def _try_one(net: BoundNet) -> None:
    """Prepare one gray image, so that a missing preset shows here. Raises OptionError."""
    height, width = (side or 224 for side in net.binding.image_size)
    given = net.explainers[0].prepare([np.full((height, width, net.channels_in), 128, np.uint8)])
    given.to_batch(given.pixels)
