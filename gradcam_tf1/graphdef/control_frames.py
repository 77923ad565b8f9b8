"""Find the loops and conditionals of a GraphDef from its ops Enter, Merge, Switch, LoopCond, NextIteration and Exit.

A loop variable enters by Enter, passes Merge, Switch and NextIteration in each iteration and leaves by Exit; LoopCond
decides whether there is another iteration. A loop constant enters by Enter alone. In a conditional, Switch passes a
tensor to the branch that the predicate selects, and Merge returns the result of the branch that was taken.
Source: https://arxiv.org/abs/1603.04467, section 4.4.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Dict, Iterable, List, Optional, Set, Tuple, Union

from gradcam_tf1.graphdef.control_contexts import CondBranch, ControlContext, WhileLoop, all_within
from gradcam_tf1.graphdef.nodes import Edge, edges
from gradcam_tf1.tf_runtime import tf

MAX_DEPTH = 24  # nesting depth of loops and conditionals; the cost of the search grows with it
PARALLEL = 10  # parallel iterations, if the file states no valid number
ENTER, EXIT, SWITCH, MERGE, NEXT, COND = "Enter", "Exit", "Switch", "Merge", "NextIteration", "LoopCond"
_FLOW = {ENTER, EXIT, SWITCH, MERGE, NEXT, COND}


def find_contexts(graph_def: tf.GraphDef) -> List[ControlContext]:
    """Find the outermost loops and the outermost conditionals that contain a loop.

    Other conditionals need no context. A context with a missing part is left out together with all inside it.

    Parameters
    ----------
    graph_def : GraphDef
        The graph, not changed.

    Returns
    -------
    list of ControlContext
        Each with its nested contexts; empty if the nesting is deeper than `MAX_DEPTH`.
    """
    if not any(node.op == ENTER for node in graph_def.node):
        return []
    finder = _Finder(graph_def)
    if not finder.find():
        return []
    return [root for root in finder.roots() if all(context.is_whole() for context in all_within([root]))]


def backward_merges(graph_def: tf.GraphDef) -> List[str]:
    """Return the names of the Merges of conditionals that list branch 1 first, as TensorFlow 2 writes them."""
    iterated = {node.name for node in graph_def.node if node.op == NEXT}
    merges = [edges(node) for node in graph_def.node if node.op == MERGE]
    if all(any(edge.node in iterated for edge in inputs) for inputs in merges):  # no conditional
        return []
    finder = _Finder(graph_def)
    finder.find()
    return finder.backward


def loop_of_each(nodes: Dict[str, tf.NodeDef], inputs: Dict[str, List[Edge]]) -> Dict[str, str]:
    """Group the nodes by loop.

    All edges connect nodes of the same loop, except those into an Enter and out of an Exit. The sources of the Enters
    of one loop are in one group, too. Frame names do not identify a loop: a graph that was imported twice has the same
    frame name twice.

    Parameters
    ----------
    nodes : dict
        Name -> NodeDef.
    inputs : dict
        Name -> its input edges.

    Returns
    -------
    dict
        Node name -> the name of one node that stands for its group; nodes outside all loops form a group, too.
    """
    leader = {name: name for name in nodes}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    def sources(name: str) -> List[str]:
        return [edge.node for edge in inputs[name] if nodes[edge.node].op != EXIT]

    for name, node in nodes.items():
        for source in () if node.op == ENTER else sources(name):
            leader[find(source)] = find(name)
    enters = [name for name, node in nodes.items() if node.op == ENTER]
    for _ in range(MAX_DEPTH):  # each pass joins the sources one loop further out
        source_of: Dict[str, str] = {}
        changed = False
        for name in enters:
            for source in sources(name):
                first, other = find(source_of.setdefault(find(name), source)), find(source)
                changed = changed or first != other
                leader[other] = first
        if not changed:
            break
    return {name: find(name) for name in nodes}


class _Finder:
    """One pass over the nodes, each after its inputs, and all Enters of a loop before the nodes inside."""

    def __init__(self, graph_def: tf.GraphDef) -> None:
        self.nodes = {node.name: node for node in graph_def.node}
        self.inputs = {name: edges(node) for name, node in self.nodes.items()}
        self.users: Dict[str, List[str]] = defaultdict(list)
        self.used: Dict[str, Set[int]] = defaultdict(set)  # outputs of a node that others use
        for name in self.nodes:
            for source in {edge.node for edge in self.inputs[name]}:
                self.users[source].append(name)
            for edge in self.inputs[name]:
                self.used[edge.node].add(edge.output)
        self.loop_of = loop_of_each(self.nodes, self.inputs)
        self.loops: Dict[str, WhileLoop] = {}
        self.branches: Dict[Tuple[Optional[ControlContext], str, int], CondBranch] = {}
        # node -> the context of its outputs; for a Switch one for each output
        self.made: Dict[str, Union[ControlContext, Tuple[ControlContext, ControlContext], None]] = {}
        self.same: Dict[str, str] = {}  # output of an Identity -> its input
        self.backward: List[str] = []  # Merges that list branch 1 first

    def find(self) -> bool:
        """Run the pass. Return False if it stopped because the nesting is deeper than MAX_DEPTH."""
        handlers = {ENTER: self._enter, MERGE: self._merge, COND: self._cond, EXIT: self._exit, SWITCH: self._switch}
        for name in self._in_order():
            context = self._deepest(self.inputs[name])
            if context is not None and context.depth > MAX_DEPTH:
                return False
            handlers.get(self.nodes[name].op, self._op)(name, context)
        return True

    def roots(self) -> List[ControlContext]:
        """Return the outermost contexts; nested ones are added to their parents."""
        found: List[ControlContext] = [*self.loops.values(), *self.branches.values()]
        for context in found:
            if context.parent is not None:
                context.parent.nested.append(context)
        looping = {each for loop in self.loops.values() for each in loop.ancestors()}
        twins = {(branch.parent, branch.pred) for branch in self.branches.values() if branch in looping}
        return [c for c in found if c.parent is None and (c in looping or (None, getattr(c, "pred", "")) in twins)]

    def _in_order(self) -> Iterable[str]:
        waiting: Dict[str, int] = {}
        for name in self.nodes:
            sources = {edge.node for edge in self.inputs[name]}
            waiting[name] = sum(s in self.nodes and self.nodes[s].op != NEXT for s in sources)
        held: Dict[str, List[str]] = defaultdict(list)
        enters = {name for name, node in self.nodes.items() if node.op == ENTER}
        left: Dict[str, int] = defaultdict(int)
        for name in enters:
            left[self.loop_of[name]] += 1
        ready = [name for name, count in waiting.items() if not count]
        while ready:
            name = ready.pop()
            yield name
            done = [name]
            if name in enters:
                loop = self.loop_of[name]
                held[loop].append(name)
                left[loop] -= 1
                done = [] if left[loop] else held[loop]
            for user in (user for each in done if self.nodes[each].op != NEXT for user in self.users[each]):
                waiting[user] -= 1
                if not waiting[user]:
                    ready.append(user)

    def _context(self, edge: Edge) -> Optional[ControlContext]:
        made = self.made.get(edge.node)
        if not isinstance(made, tuple):
            return made
        return made[0].parent if edge.control else made[min(edge.output, 1)]

    def _deepest(self, inputs: Iterable[Edge]) -> Optional[ControlContext]:
        found: Optional[ControlContext] = None
        for edge in inputs:
            context = self._context(edge)
            if context is not None and (found is None or context.depth > found.depth):
                found = context
        return found

    def _op(self, name: str, context: Optional[ControlContext]) -> None:
        self.made[name] = context
        first = self.inputs[name][0] if self.inputs[name] else None
        if self.nodes[name].op == "Identity" and first is not None:
            self.same[_tensor(name)] = self._original(first)
        if context is None:
            return
        self._add(name, context)
        if self.nodes[name].op not in _FLOW:
            self._offer_pivot(name, context, [edge for edge in self.inputs[name] if not edge.control])

    def _offer_pivot(self, name: str, context: ControlContext, inputs: List[Edge]) -> None:
        """Use an op behind a Switch as pivot, if possible an Identity: it runs only in the iteration or branch."""
        switched = [edge for edge in inputs if self.nodes[edge.node].op == SWITCH]
        is_identity = self.nodes[name].op == "Identity"
        if isinstance(context, CondBranch) and switched and (is_identity or not context.pivot):
            context.pivot = _tensor(name)
        in_body = any(edge.output == 1 and self._is_of_loop(edge.node) for edge in switched)
        if isinstance(context, WhileLoop) and in_body and (is_identity or not context.body):
            context.body = _tensor(name)

    def _enter(self, name: str, context: Optional[ControlContext]) -> None:
        node, key = self.nodes[name], self.loop_of[name]
        if key not in self.loops:
            iterations = node.attr["parallel_iterations"].i
            iterations = iterations if 0 < iterations < 2**31 else PARALLEL
            self.loops[key] = WhileLoop(context, node.attr["frame_name"].s.decode("utf-8", "replace"), iterations)
        loop = self.loops[key]
        if context is not None and (loop.parent is None or context.depth > loop.parent.depth):
            loop.parent = context
        self.made[name] = loop
        self._add(name, loop)
        if node.attr["is_constant"].b:
            loop.outside[_name(self.inputs[name][0])] = _tensor(name)
        else:
            loop.enters.append(_tensor(name))

    def _merge(self, name: str, context: Optional[ControlContext]) -> None:
        if isinstance(context, WhileLoop) and any(self.nodes[edge.node].op == NEXT for edge in self.inputs[name]):
            context.merges.append(_tensor(name))
        elif isinstance(context, CondBranch):  # the end of a conditional lies outside its branches
            if context.branch == 1 and self._context(self.inputs[name][0]) is context:
                context.backward = True
                self.backward.append(name)
            context = context.parent
        self._op(name, context)

    def _cond(self, name: str, context: Optional[ControlContext]) -> None:
        if isinstance(context, WhileLoop):
            context.conds.append(_tensor(name))
        self._op(name, context)

    def _exit(self, name: str, context: Optional[ControlContext]) -> None:
        if not isinstance(context, WhileLoop):
            self._op(name, context)
            return
        self._add(name, context)
        context.exits.append(_tensor(name))
        self.made[name] = context.parent
        if context.parent is not None:
            self._add(name, context.parent)

    def _switch(self, name: str, context: Optional[ControlContext]) -> None:
        if self._is_of_loop(name):
            self._op(name, context)
            return
        data, pred = self.inputs[name][:2]
        pair = [self._branch(context, self._original(pred), side) for side in (0, 1)]
        self.made[name] = (pair[0], pair[1])
        used = self.used[name]
        side = 1 if 1 in used else 0
        self._add(name, pair[side])
        for side in sorted(used & {0, 1}):
            pair[side].outside[_name(data)] = _tensor(name, side)

    def _is_of_loop(self, name: str) -> bool:
        return bool(self.nodes[self.inputs[name][1].node].op == COND)

    def _branch(self, parent: Optional[ControlContext], pred: str, side: int) -> CondBranch:
        key = (parent, pred, side)
        if key not in self.branches:
            self.branches[key] = CondBranch(parent, pred, side)
        return self.branches[key]

    def _original(self, edge: Edge) -> str:
        return self.same.get(_name(edge), _name(edge))

    def _add(self, name: str, context: ControlContext) -> None:
        """Add an op to a context; an op of a branch belongs to the contexts around the branch, too."""
        for holder in context.ancestors() if isinstance(context, CondBranch) else [context]:
            holder.ops[name] = None


def _tensor(name: str, output: int = 0) -> str:
    return f"{name}:{output}"


def _name(edge: Edge) -> str:
    return _tensor(edge.node, edge.output)
