"""Finding the input, the class scores and the feature maps of a graph that nobody explained."""

from __future__ import annotations

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.binding.candidates import find_candidates
from gradcam_tf1.binding.json_report import binding_report, candidates_report
from gradcam_tf1.binding.layer_specs import resolve_layer
from gradcam_tf1.binding.tensor_names import find_tensor

__all__ = ["bind", "binding_report", "candidates_report", "find_candidates", "find_tensor", "resolve_layer"]
