"""Binding takes work in proportion to the size of a graph, or refuses one in which its searches do not end."""

from __future__ import annotations

import large_graphs as made
import pytest
from counted_calls import calls

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.errors import BindingError
from gradcam_tf1.loaders import load

FEW, TIMES = 200, 5
SHAPES = [
    made.star, made.mesh, made.swishes, made.distant_gates,
    made.heads_after_a_chain, made.residual_blocks, made.parallel_convolutions,
]  # fmt: skip


def work(build, count):
    graph = import_graph(load(build(count)).graph_def, "net")
    return calls(lambda: bind(graph))


@pytest.mark.parametrize("build", SHAPES, ids=lambda build: build.__name__)
def test_binding_grows_as_the_graph(build):
    assert work(build, FEW * TIMES) < 1.5 * TIMES * work(build, FEW)


def test_a_circle_inside_a_loop_is_refused():
    graph = import_graph(load(made.circle_of_a_loop()).graph_def, "net")
    with pytest.raises(BindingError, match="the graph of 14 ops is too tangled: the search for its input, scores and"):
        bind(graph)


def test_a_tangled_graph_is_refused():
    """Each of 2,000 heads would be followed back through a chain of 4,000 ops."""
    graph = import_graph(load(made.heads_behind_a_chain(8_000)).graph_def, "net")
    with pytest.raises(BindingError, match=r"the graph of 8,\d\d\d ops is too tangled"):
        bind(graph)
