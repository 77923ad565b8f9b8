"""What a task of the cluster does: explain the images of its partition, as a run explains a folder."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping

from gradcam_tf1.drawing.figure_kinds import FigureMaker
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.image_source import ImageSource, InMemory, lost_image
from gradcam_tf1.images.safe_open import MAX_BYTES
from gradcam_tf1.images.window import make_window
from gradcam_tf1.run.batch_explainer import BatchExplainer
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.reading import Reader, RunImage
from gradcam_tf1.run.run_options import RunRequest
from gradcam_tf1.run.stages import Stages
from gradcam_tf1.run.writing import write_explained
from gradcam_tf1.spark.row_columns import COLUMNS, image_rows
from gradcam_tf1.spark.row_writer import RowWriter
from gradcam_tf1.spark.sent_model import SentModel
from gradcam_tf1.spark.worker_net import KEPT, task_cores

_BYTES = 16 << 20  # of the rows that are handed to Spark together


@dataclass(frozen=True)
class PartitionTask:
    """The function of `mapInPandas`: frames of images in, frames of rows out.

    Attributes
    ----------
    key : str
        Equal for tasks whose nets are the same.
    model : SentModel
        The model.
    net_class : type
        GradCamGraph or a subclass.
    net_options : mapping
        Its keyword arguments.
    request : RunRequest
        What is explained, and how.
    """

    key: str
    model: SentModel
    net_class: Callable[..., BoundNet]
    net_options: Mapping[str, Any]
    request: RunRequest

    def __call__(self, frames: Iterator[Any]) -> Iterator[Any]:
        """Yield a pandas.DataFrame with COLUMNS for some images each. A partition without images opens no net."""
        images = _run_images(frames, self.request.targets)
        first = next(images, None)
        if first is not None:
            yield from self._explained(chain([first], images))

    def _explained(self, images: Iterable[RunImage]) -> Iterator[Any]:
        net = KEPT.get(self.key, self._open, self.net_options.get("config"))
        request, cores = self.request, task_cores()
        run, style = request.run, request.style
        writer = RowWriter(style)
        options = ReadOptions(net.channels_in, style.bands, make_window(run.window))
        figures = FigureMaker(net, (), request.methods, request.layers, style)
        stages = Stages(
            Reader(net.fit_pixels, run.max_pixels, options, run.timeout),
            BatchExplainer(net.explainers, request, figures, Namer(), "").explain,
            lambda image: write_explained(image, writer),
            *(run.batch_size or net.batch_size, run.threads or cores, None, len(net.explainers)),
        )
        rows: List[Dict[str, Any]] = []
        size = 0
        with closing(stages.run(images)) as finished:
            for result in finished:
                names = [name for record in result.maps for name in record.files.values()]
                added = image_rows(result, {name: writer.kept.pop(name) for name in names})
                size += sum(len(value) for row in added for value in row.values() if isinstance(value, bytes))
                rows += added
                if size >= _BYTES:
                    yield _frame(rows)
                    rows, size = [], 0
        yield _frame(rows)

    def _open(self, session: Dict[str, Any]) -> BoundNet:
        return self.net_class(self.model.load(), **{**self.net_options, **session})


def _run_images(frames: Iterator[Any], targets: Any) -> Iterator[RunImage]:
    """Yield the images of the frames, numbered within the partition."""
    index = 0
    for frame in frames:
        lengths = frame["length"] if "length" in frame else [None] * len(frame)
        for path, content, length in zip(frame["path"], frame["content"], lengths):
            yield RunImage(index, _source(path, content, length), targets, str(index))
            index += 1


def _source(path: Any, content: Any, length: Any) -> ImageSource:
    name = str(path)
    if content is None:
        many = "no content" if length is None else f"{int(length):,} bytes, more than the {MAX_BYTES:,} that are read"
        return lost_image(name, name, f"has {many}")
    return (
        ImageSource(name, name, InMemory(bytes(content))) if content else lost_image(name, name, "is empty (0 bytes)")
    )


def _frame(rows: List[Dict[str, Any]]) -> Any:
    """Return rows as a pandas.DataFrame; missing values are None in all columns, so that whole numbers stay whole."""
    import pandas

    columns = {name: pandas.Series([row.get(name) for row in rows], dtype=object) for name in COLUMNS}
    return pandas.DataFrame(columns, columns=list(COLUMNS))
