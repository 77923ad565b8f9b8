"""Write maps as summaries: tags that are safe, PNG images, the scores as scalars."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np

from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.png_files import encode_png
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.labels import Labels
from gradcam_tf1.run.naming import UniqueNames, slug
from gradcam_tf1.tf_runtime import tf

_ROOT = "gradcam"


class MapTags:
    """Names the classes in tags. A name that several classes share has the class id behind it.

    Parameters
    ----------
    labels : Labels or None
        The class names of the net.
    """

    def __init__(self, labels: Optional[Labels]) -> None:
        # one more than there are names: class 0 may be a background class
        names = [] if labels is None else [slug(labels.name(number)) for number in range(len(labels.names) + 1)]
        self._shared = {name for name, count in Counter(names).items() if count > 1}

    def of_targets(self, explanation: Explanation, n: int) -> Dict[int, str]:
        """Return the number of each target of image n -> its part of the tag; a class that comes twice counts once."""
        unique = UniqueNames()
        plain: Set[int] = set()
        tokens: Dict[int, str] = {}
        for t, about in enumerate(explanation.abouts):
            map = next(_maps(explanation, n, t))
            is_plain = not about and map.class_id >= 0
            if is_plain and map.class_id in plain:
                continue
            plain.update([map.class_id] if is_plain else ())
            tokens[t] = unique(self._name(map, about))
        return tokens

    def _name(self, map: Map, about: str) -> str:
        label = slug(map.label or "")
        number = str(map.class_id) if map.class_id >= 0 and (not label or label in self._shared) else ""
        return "-".join(filter(None, [label, number, slug(about)])) or "target"


def _maps(explanation: Explanation, n: int, t: int) -> Iterator[Map]:
    return (explanation.map(method, n, t, layer) for method, layer in explanation.maps)


def summary_values(explanation: Explanation, names: Sequence[str], tags: MapTags, style: Style) -> Iterator[Any]:
    """Yield a tf.Summary.Value for each overlay, and for the score and the probability of each target.

    Parameters
    ----------
    explanation : Explanation
        Of N images. Images without an answer have no values.
    names : sequence of str
        The N names of the images in tags.
    tags : MapTags
        Names the classes.
    style : Style
        How maps are drawn.
    """
    several = len({layer for _, layer in explanation.maps if layer}) > 1
    for n, name in enumerate(names):
        if explanation.failures and explanation.failures[n]:
            continue
        for t, token in tags.of_targets(explanation, n).items():
            maps = list(_maps(explanation, n, t))
            for map in maps:
                layer = f"/{slug(map.layer)}" if several and map.layer else ""
                yield _image(f"{_ROOT}/{map.method}/{name}/{token}{layer}", map.overlay(style))
            for kind, number in (("score", maps[0].score), ("probability", maps[0].probability)):
                if number is not None:
                    yield tf.Summary.Value(tag=f"{_ROOT}/{kind}/{name}/{token}", simple_value=number)


def _image(tag: str, rgb: np.ndarray) -> Any:
    height, width = rgb.shape[:2]
    image = tf.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=bytes(encode_png(rgb)))
    return tf.Summary.Value(tag=tag, image=image)


class SummaryFolder:
    """The event file in a folder.

    Parameters
    ----------
    logdir : str or None
        A folder of the user's choice, with a file of its own; None for that of the checkpoints of a graph. There the
        file is shared with TensorFlow's hooks: TensorBoard 1.15 reads one file of a folder at a time and would miss
        what is added to the others.
    graph : tf.Graph or None
        The graph that is trained.
    """

    def __init__(self, logdir: Optional[str], graph: Optional[tf.Graph]) -> None:
        self._own = logdir is not None
        if logdir is not None:
            with tf.Graph().as_default():  # an eager program has no other graph, and the writer refuses to be without
                # a name of its own: two hooks, or two trainings, in one second would write over each other
                ending = f".{uuid.uuid4().hex[:8]}"
                self._writer = tf.summary.FileWriter(os.path.expanduser(os.fspath(logdir)), filename_suffix=ending)
            return
        with (graph or tf.Graph()).as_default():
            self._writer = tf.summary.FileWriterCache.get(_checkpoint_folder(graph))

    def write(self, values: Sequence[Any], step: int) -> None:
        """Write one summary; readers see it at once. Raises OSError if the file did not take it."""
        summary = tf.Summary(value=values)
        before = self._bytes()
        with self._told():
            self._writer.add_summary(summary, step)
            self._writer.flush()
        # TensorFlow does not always tell of a full disk, and never of a file that was removed
        if before is not None and (self._bytes() or 0) < before + summary.ByteSize():
            raise self._failure()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raise OSError where the thread of TensorFlow's writer fails."""
        try:
            yield
        except (RuntimeError, tf.errors.OpError) as error:
            raise self._failure() from error

    def _failure(self) -> OSError:
        return OSError(
            f"the event file in {self._writer.get_logdir()!r} did not take them; is the disk full, or was the file "
            "removed? The file may stay damaged, so go on in a new folder"
        )

    def _bytes(self) -> Optional[int]:
        """Return the size of all event files of the folder; None if it is not a folder of this machine."""
        folder = self._writer.get_logdir()
        if "://" in folder:
            return None
        try:
            return sum(entry.stat().st_size for entry in os.scandir(folder) if "tfevents" in entry.name)
        except OSError:  # it was removed
            return 0

    def close(self) -> None:
        """Close the file, or flush it where it is shared. Raises OSError if that is not possible."""
        with self._told():
            if self._own:
                self._writer.close()
            else:
                self._writer.flush()


def _checkpoint_folder(graph: Optional[tf.Graph]) -> str:
    """Return where the savers of a graph have saved. Raises OptionError."""
    savers = [] if graph is None else graph.get_collection(tf.GraphKeys.SAVERS)
    saved: List[Tuple[str, ...]] = [tuple(saver.last_checkpoints) for saver in savers]
    last = [paths[-1] for paths in saved if paths]
    if not last:
        raise OptionError("no checkpoint has been saved, so the folder for the maps is not known; give logdir")
    return os.path.dirname(last[0])
