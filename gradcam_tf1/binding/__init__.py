"""Finding the input, the class scores and the feature maps of a graph that nobody explained."""

from __future__ import annotations

from gradcam_tf1.binding.assemble import bind
from gradcam_tf1.binding.candidates import find_candidates
from gradcam_tf1.binding.names import find_tensor
from gradcam_tf1.binding.report import binding_report, candidates_report
from gradcam_tf1.binding.resolve import resolve_layer

__all__ = ["bind", "binding_report", "candidates_report", "find_candidates", "find_tensor", "resolve_layer"]
