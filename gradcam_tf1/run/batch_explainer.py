"""Explain batches of images on the devices that are free."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import Queue
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, cast

import numpy as np

from gradcam_tf1.atomic_files import make_folders
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.figure_kinds import FigureMaker
from gradcam_tf1.errors import ImageFileError, OutOfMemoryError, RegionError, RunError, TimeLimitError
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.reading import RunImage
from gradcam_tf1.run.run_options import RunRequest
from gradcam_tf1.run.target_rows import row_key
from gradcam_tf1.types import MethodProgress

if TYPE_CHECKING:
    from gradcam_tf1.engine.explain import NetExplainer

_LOG = logging.getLogger(__name__)


@dataclass
class ExplainedImage:
    """An image and its part of an explanation.

    Attributes
    ----------
    item : RunImage
        The image.
    explanation : Explanation or None
        The explanation of its batch; None if the image failed.
    n : int
        Its number in the explanation.
    """

    item: RunImage
    explanation: Optional[Explanation] = None
    n: int = 0


class BatchExplainer:
    """Explains batches of fitted images; as many threads may call it as there are devices.

    After an out-of-memory error a device gets smaller batches, and `notes` says so.

    Parameters
    ----------
    explainers : sequence of NetExplainer
        One per device; a batch goes to one that is free.
    request : RunRequest
        The methods, layers, score and options of the run.
    figures : FigureMaker
        Makes the figures of each image.
    namer : Namer
        Names the files of figures.
    folder : str
        The output folder.
    """

    def __init__(
        self, explainers: Sequence[NetExplainer], request: RunRequest, figures: FigureMaker, namer: Namer, folder: str
    ) -> None:
        self.notes: List[str] = []
        self.devices = len(explainers)
        self._free: Queue[_Device] = Queue()
        for explainer in explainers:
            self._free.put(_Device(explainer))
        progress = request.options.progress
        options = replace(request.options, progress=progress and one_at_a_time(progress))
        self._request = replace(request, options=options)
        self._figures = figures
        self._namer = namer
        self._folder = folder

    def explain(self, batch: Sequence[RunImage]) -> List[ExplainedImage]:
        """Explain the images in groups of one fitted shape, and return them in the order of the batch."""
        groups: Dict[Any, List[RunImage]] = {}
        for item in batch:
            if item.fitted is not None:
                groups.setdefault(_key(item), []).append(item)
        explained: Dict[int, ExplainedImage] = {}
        with self._free_device() as device:
            for group in groups.values():
                explained.update(self._group(device, group))
        return [explained.get(item.index) or ExplainedImage(item) for item in batch]

    @contextmanager
    def _free_device(self) -> Iterator[_Device]:
        device = self._free.get()
        try:
            yield device
        finally:
            self._free.put(device)

    def _group(self, device: _Device, group: List[RunImage]) -> Dict[int, ExplainedImage]:
        """Explain images that go through the net together. Return those that worked, by index."""
        if device.limit is not None and len(group) > device.limit:
            return self._parts(device, group, device.limit)
        try:
            return self._explained(device.explainer, group)
        except (RegionError, ImageFileError) as error:  # a mask or point does not fit one of the images
            return _failed(group, str(error)) if len(group) == 1 else self._parts(device, group, 1)
        except TimeLimitError as error:
            return _failed(group, str(error))
        except (OutOfMemoryError, MemoryError) as error:
            if len(group) == 1:
                return _failed(group, f"out of memory for this image: {str(error) or 'MemoryError'}")
            device.limit = len(group) // 2
            note = f"out of memory at a batch size of {len(group)}: {device.limit} from then on"
            if note not in self.notes:
                _LOG.warning("%s", note)
                self.notes.append(note)
            return self._parts(device, group, device.limit)
        except RunError as error:
            if None not in device.explainer.binding.image_size:
                raise
            # a net of free size has limits too: a very small image shrinks to nothing
            return _failed(group, f"{error}; the fitted image has {_size(group[0])} pixels, try another size")

    def _parts(self, device: _Device, group: List[RunImage], size: int) -> Dict[int, ExplainedImage]:
        parts = [self._group(device, group[start : start + size]) for start in range(0, len(group), size)]
        return {index: image for part in parts for index, image in part.items()}

    def _explained(self, explainer: NetExplainer, group: List[RunImage]) -> Dict[int, ExplainedImage]:
        request = self._request
        targets, options = _targets(group), replace(request.options, inputs=_further_inputs(group))
        with explainer.engine.time_limit(request.run.timeout):
            prepared = explainer.prepare([item.fitted for item in group])
            asked = (request.methods, request.layers, request.score, options)
            explanation = explainer.explain(prepared, targets, *asked)
            for item, reason in zip(group, explanation.failures):
                if reason:
                    _failed([item], reason)
            paths = [{} if item.done is not None or item.error else self._paths(item) for item in group]
            for path in (path for kinds in paths for path in kinds.values()):
                make_folders(self._folder, path)
            images = [cast(np.ndarray, item.image) for item in group]
            self._figures.make(explainer, prepared, images, paths, targets, request.score, options)
        for item, figures in zip(group, paths):
            item.figures = figures
        return {item.index: ExplainedImage(item, explanation, n) for n, item in enumerate(group) if not item.error}

    def _paths(self, item: RunImage) -> Dict[str, str]:
        names = {kind: self._namer.figure(item.stem, kind) for kind in self._figures.names}
        return {kind: os.path.join(self._folder, *name.split("/")) for kind, name in names.items()}


@dataclass
class _Device:
    """One device: its explainer, and the largest batch that fits into its memory; None if no limit is known."""

    explainer: NetExplainer
    limit: Optional[int] = None


def one_at_a_time(progress: Callable[[MethodProgress], None]) -> Callable[[MethodProgress], None]:
    """Wrap a function so that several threads may call it."""
    lock = threading.Lock()

    def call(work: MethodProgress) -> None:
        with lock:
            progress(work)

    return call


def _failed(group: List[RunImage], reason: str) -> Dict[int, ExplainedImage]:
    """Record the error of each image, and return that none worked."""
    for item in group:
        item.error = f"{item.file.path!r}: {reason}"
    return {}


def _targets(group: List[RunImage]) -> Any:
    """Return the targets of all images, or one row per image if they differ."""
    first = group[0].targets
    return first if all(item.targets is first for item in group) else [item.targets for item in group]


def _further_inputs(group: List[RunImage]) -> Optional[Dict[str, List[Any]]]:
    return {name: [item.inputs[name] for item in group] for name in group[0].inputs} or None


def _key(item: RunImage) -> Tuple[Any, ...]:
    """Return a key that is equal for images that can go through the net together."""
    shapes = [(name, _pixels(value).shape) for name, value in item.inputs.items()]
    return _pixels(item.fitted).shape, row_key(item.targets), tuple(shapes)


def _pixels(value: Any) -> np.ndarray:
    pixels: np.ndarray = getattr(value, "pixels", value)
    return pixels


def _size(item: RunImage) -> str:
    height, width = item.fitted.pixels.shape[-3:-1] if item.fitted else (0, 0)
    return f"{height}x{width}"
