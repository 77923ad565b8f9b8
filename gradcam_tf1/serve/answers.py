"""The answer to a request: read its images one after the other, explain each, and make the image records."""

from __future__ import annotations

import base64
import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import numpy as np

from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.errors import ImageFileError, RunError, TimeLimitError
from gradcam_tf1.images.bands import ReadOptions, drawn
from gradcam_tf1.images.decode import decode
from gradcam_tf1.report.image_record import image_record
from gradcam_tf1.report.previews import jpeg
from gradcam_tf1.serve.explain_queue import QueuedJob
from gradcam_tf1.serve.question import Question, with_progress
from gradcam_tf1.serve.uploads import Upload
from gradcam_tf1.types import MethodProgress

if TYPE_CHECKING:
    from gradcam_tf1.graph import GradCamGraph

Record = Dict[str, Any]


@dataclass(frozen=True)
class Answerer:
    """Explains the images of requests with one net, in the thread that calls it.

    Attributes
    ----------
    net : GradCamGraph
        The net.
    max_pixels : int
        Refuse larger images.
    timeout : float
        Seconds that the net may run for one request.
    """

    net: GradCamGraph
    max_pixels: int
    timeout: float

    def __call__(self, uploads: Sequence[Upload], question: Question, job: QueuedJob) -> Record:
        """Return the body of the answer; one image that cannot be explained becomes a record with its reason."""
        start = time.monotonic()
        records: List[Record] = []
        with self.net.time_limit(self.timeout):
            for number, upload in enumerate(uploads):
                place = {"image": number + 1, "images": len(uploads)}
                job.tell(**place)
                asked = with_progress(question, lambda work, place=place: job.tell(**place, **_shown(work)))
                records.append(self._record(f"{number:06d}", upload, asked))
        return {"images": records, "seconds": round(time.monotonic() - start, 4)}

    def _record(self, ident: str, upload: Upload, asked: Question) -> Record:
        try:
            wanted = ReadOptions(self.net.channels_in)
            pixels = decode(io.BytesIO(upload.data), upload.name, self.max_pixels, wanted)
            found = self.net.explain(
                [pixels], asked.targets, asked.methods, asked.layers, score=asked.score, options=asked.options
            )
        except TimeLimitError:
            raise
        except (ImageFileError, RunError) as error:
            return failed(ident, upload.name, str(error))
        if found.failures and found.failures[0]:
            return failed(ident, upload.name, found.failures[0], list(pixels.shape[:2]))
        return explained(found, pixels, ident, upload.name)


def explained(found: Explanation, pixels: np.ndarray, ident: str, name: str) -> Record:
    """Return the record of one explained image [H, W, C], with its preview as a data URL."""
    preview = jpeg_url(drawn(pixels))
    return image_record(found, ident=ident, name=name, preview=preview, pixels=_drawn_url)


def failed(ident: str, name: str, error: str, size: Optional[List[int]] = None) -> Record:
    """Return the record of an image that was not explained."""
    return {
        **{"id": ident, "name": name, "size": size, "status": "error", "error": error},
        **{"preview": None, "truth": None, "top": [], "targets": []},
    }


def jpeg_url(pixels: np.ndarray) -> str:
    """Return an image [H, W, 3], uint8 RGB, as a JPEG in a data URL, at most 1,024 pixels on its longer side."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(pixels)).decode("ascii")


def _drawn_url(map: Map) -> str:
    """Return the drawn image of a pixel method."""
    return jpeg_url(map.overlay())


def _shown(work: MethodProgress) -> Dict[str, Any]:
    return {
        **{"method": work.method, "layer": work.layer, "unit": work.unit},
        **{"done": work.done, "of": work.images * work.runs},
    }
