"""What is folded into each layer with weights: the ops behind it, through concatenations of groups too."""

from __future__ import annotations

from typing import Callable, Container, Dict, List, Sequence, Tuple

from gradcam_tf1.gradients.graph_walk import users
from gradcam_tf1.gradients.layer_channels import JOINS, Channels, channels_of, folded_over, is_core
from gradcam_tf1.tf_runtime import static_value, tf

Chain = Tuple[List["tf.Operation"], Channels]  # what is folded into a layer, and where its channels are behind that


class LayerChains:
    """Finds what is folded into the layers of a path.

    Parameters
    ----------
    names : container of str
        The ops of the path.
    ends : container of str
        The tensors that it ends at.
    on_path : callable
        Whether a tensor depends on the images.
    """

    def __init__(self, names: Container[str], ends: Container[str], on_path: Callable[[tf.Tensor], bool]) -> None:
        self._names, self._ends, self._on_path = names, ends, on_path

    def find(self, path: Sequence[tf.Operation]) -> Dict[tf.Operation, Chain]:
        """Return what is folded into each core; groups that are joined share what follows their concatenation."""
        chains = {op: self._chain(op, channels_of(op, self._on_path)) for op in path if is_core(op, self._on_path)}
        for op in path:
            if op.type in JOINS:
                ends = {(chain or [core])[-1]: core for core, (chain, _) in chains.items()}
                cores = [ends.get(each.op) for each in op.inputs if each.shape.rank]
                found = [core for core in cores if core is not None and users((chains[core][0] or [core])[-1]) == [op]]
                if len(set(found)) == len(cores):
                    self._join(op, found, chains)
        return chains

    def _join(self, op: tf.Operation, cores: List[tf.Operation], chains: Dict[tf.Operation, Chain]) -> None:
        places = [chains[core][1] for core in cores]
        axis = static_value(op.inputs[0 if op.type == "Concat" else -1])
        if axis is None or any(each.size is None or each.axis != axis % op.outputs[0].shape.rank for each in places):
            return
        if any(len(each.sides) > 1 for each in places):
            return
        size = sum(each.size for each in places if each.size is not None)
        after, channels = self._chain(op, Channels(size, places[0].axis))
        for core in cores if after else ():
            chains[core] = [*chains[core][0], op, *after], channels

    def _chain(self, last: tf.Operation, channels: Channels) -> Chain:
        """Return the ops after one that fold into the layer before, and where its channels are behind them."""
        chain: List[tf.Operation] = []
        while last.outputs[0].name not in self._ends:
            following = [op for op in users(last) if op.name in self._names]
            found = folded_over(following[0], channels, self._on_path) if len(following) == 1 else None
            if found is None:
                break
            last, channels = following[0], found
            chain.append(last)
        return chain, channels
