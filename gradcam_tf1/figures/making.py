"""Makes and writes the figures of a run."""

from __future__ import annotations

import threading
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from gradcam_tf1.drawing import Style
from gradcam_tf1.figures.grid import save
from gradcam_tf1.figures.kinds import Kind
from gradcam_tf1.methods import expand_methods


class FigureMaker:
    """Explains and draws figures of pictures that go through the net together.

    asked: keyword arguments of `explain` as the run has them. Each kind asks in a pass of its own. Several threads may
    make figures, one draws at a time: matplotlib is not made for more.
    """

    def __init__(self, net: Any, kinds: Sequence[Kind], asked: Dict[str, Any], style: Style) -> None:
        self._drawing = threading.Lock()
        self._style = style
        self._plans = {name: (kind, _fitting(plan)) for kind in kinds for name, plan in kind.asked(net, asked).items()}

    @property
    def names(self) -> List[str]:
        """Of the figures."""
        return list(self._plans)

    def make(
        self,
        net: Any,
        images: Sequence[np.ndarray],
        fitted: Sequence[Any],
        paths: Sequence[Dict[str, str]],
        targets: Any,
        inputs: Mapping[str, Any],
    ) -> None:
        """Write the figures of these pictures.

        paths: for each picture, name -> path in a folder that is there. targets, inputs: as the run asks.
        """
        for name, (kind, plan) in self._plans.items():
            explanation = net.explain(fitted, **{"targets": targets, **plan, "inputs": inputs})
            for n, (image, path) in enumerate(zip(images, paths)):
                if not path:  # finished in an earlier run
                    continue
                with self._drawing:
                    save(kind.draw(explanation, image, n, net.labels, self._style), path[name])


def _fitting(plan: Dict[str, Any]) -> Dict[str, Any]:
    """The plan without options of methods that the figure does not show, and without a fusion of one layer."""
    names: List[str] = expand_methods(plan["methods"])
    options = {name: given for name, given in (plan.get("options") or {}).items() if name in names}
    several = isinstance(plan["layers"], (list, tuple)) and len(plan["layers"]) > 1
    return {**plan, "options": options, "fuse": plan.get("fuse") if several else None}
