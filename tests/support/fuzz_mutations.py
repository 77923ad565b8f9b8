"""How the fuzzer damages: bytes of any file, nodes of a graph, bodies of functions, the objects of a SavedModel."""

from __future__ import annotations

import contextlib


def flip(data, draw):
    for _ in range(draw.choice((1, 1, 4, 32))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def cut(data, draw):
    del data[draw.randrange(len(data)) :]


def drop(data, draw):
    start = draw.randrange(len(data))
    del data[start : start + draw.choice((1, 4, 8, 100))]


def double(data, draw):
    start = draw.randrange(len(data))
    piece = data[start : start + draw.choice((1, 4, 16, 300))]
    data[start:start] = piece * draw.choice((1, 2, 50))


def overwrite(data, draw):
    start = draw.randrange(len(data))
    piece = draw.choice(
        (b"\xff" * 8, b"\0" * 8, b"\x80" * 9 + b"\x01", b"\x7f\xff\xff\xff", b"[[[[[[[[", b"\xff\xff\xff\x7f")
    )
    data[start : start + len(piece)] = piece


def nest(data, draw):
    start = draw.randrange(len(data))
    data[start:start] = draw.choice((b"[", b"{", b"(", b"node{", b"\x0a\x02", b"{1:")) * draw.choice((50, 3000))


BYTES = (flip, flip, flip, cut, cut, drop, double, overwrite, overwrite, nest)


def redirect(graph, draw):
    node = draw.choice([node for node in graph.node if node.input])
    node.input[draw.randrange(len(node.input))] = draw.choice(("", "^")) + draw.choice(graph.node).name


def more_inputs(graph, draw):
    draw.choice(graph.node).input.extend([draw.choice(graph.node).name] * draw.choice((1, 1000)))


def fewer_inputs(graph, draw):
    del draw.choice([node for node in graph.node if node.input]).input[0]


def rename(graph, draw):
    odd = ("", "a b", "^x", "x:1", "\x1b[2J", "../../etc/x", "é" * 3000, "x" * 100000, draw.choice(graph.node).name)
    draw.choice(graph.node).name = draw.choice(odd)


def other_op(graph, draw):
    ops = ("Identity", "Conv2D", "NoOp", "Merge", "Switch", "Enter", "Exit", "NextIteration", "Fill", "Tile", "Range")
    more = ("PyFunc", "ReadFile", "WriteFile", "Const", "Placeholder", "VariableV2", "VarHandleOp", "If", "Alien", "")
    draw.choice(graph.node).op = draw.choice(ops + more)


def giant(graph, draw):
    sizes = draw.choice(([2**40], [2**62, 2**62], [-1], [-5, 3], [2**31, 2**31, 2**31], [10**6] * 4, [1] * 300, [0]))
    node = draw.choice(graph.node)
    for value in node.attr.values():
        if value.HasField("tensor") or value.HasField("shape"):
            shape = value.tensor.tensor_shape if value.HasField("tensor") else value.shape
            del shape.dim[:]
            for size in sizes:
                shape.dim.add().size = size


def constant(graph, name, dtype, field, value, sides=()):
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = dtype
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype
    tensor.tensor_shape.SetInParent()
    for side in sides:
        tensor.tensor_shape.dim.add().size = side
    getattr(tensor, field).append(value)


def giant_fill(graph, draw):
    """A Fill that nobody asked for, of a size that no machine has, added to the scores or their shape."""
    constant(graph, "huge/dims", 9, "int64_val", draw.choice((2**40, 2**62, -1, 2**33)), [1])
    constant(graph, "huge/one", 1, "float_val", 1)
    constant(graph, "huge/axes", 3, "int_val", 0)
    fill = graph.node.add(name="huge/fill", op="Fill", input=["huge/dims", "huge/one"])
    fill.attr["T"].type, fill.attr["index_type"].type = 1, 9
    total = graph.node.add(name="huge/sum", op="Sum", input=["huge/fill", "huge/axes"])
    total.attr["T"].type, total.attr["Tidx"].type = 1, 3
    user = draw.choice([node for node in graph.node if node.input and not node.name.startswith("huge")])
    add = graph.node.add(name="huge/add", op="Add", input=[user.input[0], "huge/sum"])
    add.attr["T"].type = 1
    user.input[0] = "huge/add"


def odd_attribute(graph, draw):
    node = draw.choice([node for node in graph.node if node.attr])
    value = node.attr[draw.choice(sorted(node.attr))]
    draw.choice(
        (
            lambda: value.Clear(),
            lambda: setattr(value, "i", draw.choice((-1, 2**62, 0))),
            lambda: setattr(value, "type", draw.choice((0, 1, 7, 20, 21, 99, 101, 250))),
            lambda: setattr(value, "s", draw.choice((b"\xff\xfe", b"x" * 10**6, b""))),
            lambda: setattr(value, "f", float("nan")),
            lambda: setattr(value.func, "name", draw.choice(("", "nobody", node.name))),
            lambda: value.list.i.extend([-1] * draw.choice((1, 4, 10000))),
        )
    )()


def same_name(graph, draw):
    graph.node.add().CopyFrom(draw.choice(graph.node))


def function(graph, draw):
    """Functions that call each other in a row, or themselves, or hold a circle."""
    depth = draw.choice((1, 2, 200))
    circular = draw.random() < 0.5
    for number in range(depth):
        made = graph.library.function.add()
        made.signature.name = f"f{number}"
        made.signature.input_arg.add(name="x", type=1)
        made.signature.output_arg.add(name="y", type=1)
        last = number == depth - 1
        if last and not circular:
            made.node_def.add(name="n", op="Identity", input=["x"]).attr["T"].type = 1
            made.ret["y"] = "n:output:0"
            continue
        node = made.node_def.add(name="n", op="PartitionedCall", input=["x"])
        node.attr["Tin"].list.type.append(1)
        node.attr["Tout"].list.type.append(1)
        node.attr["f"].func.name = "f0" if last else f"f{number + 1}"
        made.ret["y"] = "n:output:0"
    user = draw.choice([node for node in graph.node if node.input])
    call = graph.node.add(name="call", op="PartitionedCall", input=[user.input[0]])
    call.attr["Tin"].list.type.append(1)
    call.attr["Tout"].list.type.append(1)
    call.attr["f"].func.name = "f0"
    user.input[0] = "call"


def chain(graph, draw):
    """A long row of ops before some input."""
    user = draw.choice([node for node in graph.node if node.input])
    before, dtype, op = user.input[0], draw.choice((1, 3)), draw.choice(("Identity", "Neg", "Relu"))
    for number in range(draw.choice((10, 3000))):
        graph.node.add(name=f"chain/{number}", op=op, input=[before]).attr["T"].type = dtype
        before = f"chain/{number}"
    user.input[0] = before


def forget(graph, draw):
    del graph.node[draw.randrange(len(graph.node))]


GRAPHS = (redirect, redirect, more_inputs, fewer_inputs, rename, other_op, giant, giant, giant_fill, odd_attribute)
GRAPHS += (odd_attribute, same_name, function, chain, forget)


def mutate_graph(graph, draw):
    for _ in range(draw.choice((1, 1, 2, 5))):
        with contextlib.suppress(IndexError, ValueError):  # nothing left to change, or a name that no message takes
            draw.choice(GRAPHS)(graph, draw)


class _Body:
    """A function as a graph."""

    def __init__(self, function, graph):
        self.node, self.library = function.node_def, graph.library


def mutate_functions(graph, draw):
    """The bodies of functions; sometimes who calls whom, and what they take and give."""
    for _ in range(draw.choice((1, 1, 2))):
        function = draw.choice(graph.library.function)
        if draw.random() < 0.7:
            mutate_graph(_Body(function, graph), draw)
        elif draw.random() < 0.5:
            function.signature.name = draw.choice((draw.choice(graph.library.function).signature.name, "x" * 9999, ""))
        else:
            for argument in draw.choice((function.signature.input_arg, function.signature.output_arg)):
                argument.type = draw.choice((0, 1, 3, 7, 20, 250))


def mutate_objects(meta, draw):
    """The objects of a SavedModel: shapes and types of variables, who belongs to whom; and any bytes of them."""
    objects = meta.object_graph_def
    for _ in range(draw.choice((1, 2, 4))):
        node = draw.choice(objects.nodes)
        kind = node.WhichOneof("kind")
        if kind == "variable" and draw.random() < 0.8:
            node.variable.dtype = draw.choice((1, 3, 7, 20, 250))
            del node.variable.shape.dim[:]
            for size in draw.choice(((2**40,), (-1,), (0,), (2**20, 2**20), (1,) * 300)):
                node.variable.shape.dim.add().size = size
        elif node.children and draw.random() < 0.5:
            draw.choice(node.children).node_id = draw.choice((0, 1, -1, 2**31 - 1, draw.randrange(len(objects.nodes))))
        else:
            data = bytearray(node.SerializeToString())
            if data:
                draw.choice(BYTES)(data, draw)
            node.Clear()
            with contextlib.suppress(Exception):  # no message any more: an empty one
                node.ParseFromString(bytes(data))


def mutate_slices(slices, draw):
    """An entry of a single-file checkpoint: the shape of a variable, or the numbers of one."""
    if slices.meta.tensor:
        draw.choice(VARIABLES)(draw.choice(slices.meta.tensor), draw)
    if slices.HasField("data"):
        draw.choice(NUMBERS)(slices.data.data, draw)


def _change_part(tensor, draw):
    extents = [extent for part in tensor.slice for extent in part.extent]
    if extents:
        setattr(draw.choice(extents), draw.choice(("start", "length")), draw.choice((-5, 0, 1, 2**60)))


def _change_side(tensor, draw):
    if tensor.shape.dim:
        draw.choice(tensor.shape.dim).size = draw.choice((-1, 0, 3, 2**40, 2**62))


VARIABLES = (
    _change_part,
    _change_side,
    lambda tensor, draw: tensor.shape.dim.add(size=draw.choice((1, 7))),
    lambda tensor, draw: setattr(tensor, "type", draw.choice((0, 2, 3, 7, 8, 20, 21, 101, 250))),
    lambda tensor, draw: tensor.slice.add().extent.add(start=draw.choice((0, -3, 2**60)), length=1),
    lambda tensor, draw: setattr(tensor, "name", draw.choice(("", "x" * 9999, "conv/beta"))),
    lambda tensor, draw: tensor.ClearField("slice"),
)
NUMBERS = (
    lambda stored, draw: stored.float_val.__delitem__(slice(draw.choice((0, 1)), None)),
    lambda stored, draw: stored.float_val.extend([1.0] * draw.choice((1, 1000))),
    lambda stored, draw: setattr(stored, "dtype", draw.choice((0, 3, 7, 250))),
    lambda stored, draw: stored.tensor_shape.dim.add(size=2**40),
)
