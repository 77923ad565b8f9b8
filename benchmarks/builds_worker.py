"""One build of TensorFlow, which answers line by line on what `builds.py` asks it. Both sides speak JSON.

asked: {"net": "demo", "what": "gradcam", "save": a file for the answer's numbers, or null}. told: {"seconds": 0.02}.
The first time a net is asked for, it is opened and run once; the net before it is closed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np
from material import demo_net, scenes, two_threads, vgg19

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.tf_runtime import tf

METHODS = {"gradcam": ["gradcam"], "gradcam + guided_gradcam": ["gradcam", "guided_gradcam"]}
NETS: Dict[str, Callable[[], GradCamGraph]] = {
    "demo net": demo_net,
    "VGG-19": lambda: GradCamGraph(vgg19(), config=two_threads()),
}


class Worker:
    """The net that was asked for last, and its eight images."""

    def __init__(self) -> None:
        self._name: Optional[str] = None

    def answer(self, asked: Dict[str, Any]) -> Dict[str, Any]:
        """Seconds of one call, and its numbers in a file where one is named."""
        if asked["net"] != self._name:
            self._open(asked["net"])
        seconds, numbers = self._call(asked["what"])
        if asked["save"]:
            np.savez(asked["save"], **numbers)
        return {"seconds": seconds, "tensorflow": tf.__version__}

    def _open(self, name: str) -> None:
        if self._name is not None:
            self._net.close()
        self._name, self._net = name, NETS[name]()
        self._fitted = [self._net.fit_image(image) for image in scenes(8)]
        batch = self._net.preprocess(np.stack([item.pixels for item in self._fitted]).astype(np.float32))
        self._feed = {self._net.binding.input: batch, **self._net.binding.feeds}

    def _call(self, what: str) -> Tuple[float, Dict[str, np.ndarray]]:
        start = time.perf_counter()
        if what == "forward":
            logits = self._net.sess.run(self._net.binding.logits, self._feed)
            return time.perf_counter() - start, {"logits": logits}
        explanation = self._net.explain(self._fitted, targets=0, methods=METHODS[what])
        return time.perf_counter() - start, {name: explanation[name] for name in METHODS[what]}


def main() -> None:
    """Answers until the other side hangs up; whatever else is printed goes to standard error."""
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        told.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        told.flush()


if __name__ == "__main__":
    main()
