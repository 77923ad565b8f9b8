"""The input, the class scores, the feature maps and the feeds of a frozen graph.

In: an imported graph, what its file declares, and what the user names.
Out: a `Binding` of tensor names with one reason for each, warnings, and all candidates where the search fails.
Never: a change to the graph, a run of the net, a silent guess.
"""

from __future__ import annotations

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.binding.candidates import find_candidates
from gradcam_tf1.binding.json_report import binding_report, candidates_report
from gradcam_tf1.binding.layer_specs import resolve_layer
from gradcam_tf1.binding.tensor_names import find_tensor

__all__ = ["bind", "binding_report", "candidates_report", "find_candidates", "find_tensor", "resolve_layer"]
