"""Large graphs as strangers make them: small nets with tens of thousands of further nodes, functions or edges."""

from __future__ import annotations

from hostile_nets import plain

FLOAT, BOOL = 1, 10


def node_of(graph_def, name):
    return next(node for node in graph_def.node if node.name == name)


def add(graph_def, name, op, inputs=(), **types):
    node = graph_def.node.add(name=name, op=op, input=inputs)
    for key, dtype in types.items():
        node.attr[key].type = dtype
    return node


def before_net(graph_def, name):
    """Let the net take this tensor for its images."""
    node_of(graph_def, "Identity").input[0] = name
    return graph_def


def circle(count):
    graph_def = plain()
    for n in range(count):
        add(graph_def, f"n{n}", "Identity", [f"n{(n + 1) % count}"], T=FLOAT)
    return graph_def


def chain(count, op="Identity"):
    graph_def = plain()
    for n in range(count):
        add(graph_def, f"n{n}", op, [f"n{n - 1}" if n else "images"], T=FLOAT)
    return before_net(graph_def, f"n{count - 1}")


def waiting_for_one(count):
    graph_def = plain()
    for n in range(count):
        add(graph_def, f"n{n}", "NoOp")
    add(graph_def, "all", "NoOp", [f"^n{n}" for n in range(count)])
    node_of(graph_def, "Identity").input.append("^all")
    return graph_def


def waiting_for_a_writer(count):
    """No-ops in a row, the first waits for an op that is cut: one goes after the other."""
    graph_def = plain()
    add(graph_def, "writer", "WriteFile", ["text", "text"])
    text = add(graph_def, "text", "Const", dtype=7)
    text.attr["value"].tensor.dtype = 7
    text.attr["value"].tensor.tensor_shape.SetInParent()
    text.attr["value"].tensor.string_val.append(b"x")
    for n in range(count):
        add(graph_def, f"n{n}", "NoOp", [f"^n{n - 1}" if n else "^writer"])
    node_of(graph_def, "Identity").input.append(f"^n{count - 1}")
    return graph_def


def unknown_before_the_net(count):
    graph_def = plain()
    for n in range(count // 5):
        add(graph_def, f"alien{n}", "Alien", ["images"])
    add(graph_def, "sum", "AddN", [f"alien{n}" for n in range(count // 5)], T=FLOAT).attr["N"].i = count // 5
    for n in range(count - count // 5):
        add(graph_def, f"n{n}", "Identity", [f"n{n - 1}" if n else "sum"], T=FLOAT)
    return before_net(graph_def, f"n{count - count // 5 - 1}")


def diamonds(count):
    """Both inputs of every op are the op before."""
    graph_def = plain()
    for n in range(count):
        add(graph_def, f"n{n}", "Maximum", [f"n{n - 1}" if n else "images"] * 2, T=FLOAT)
    return before_net(graph_def, f"n{count - 1}")


def logical_diamonds(count):
    """A branch that is decided by ands and ors of ands and ors."""
    graph_def = plain()
    add(graph_def, "is_training", "Placeholder", dtype=BOOL)
    last = ("is_training", "is_training")
    for n in range(count):
        add(graph_def, f"and{n}", "LogicalAnd", last)
        add(graph_def, f"or{n}", "LogicalOr", last)
        last = (f"and{n}", f"or{n}")
    add(graph_def, "switch", "Switch", ["images", last[0]], T=FLOAT)
    add(graph_def, "merge", "Merge", ["switch", "switch:1"], T=FLOAT).attr["N"].i = 2
    return before_net(graph_def, "merge")


def placeholders(count):
    """Numbers with a default, all of them added to the image."""
    graph_def = plain()
    half = add(graph_def, "half", "Const", dtype=FLOAT)
    half.attr["value"].tensor.dtype = FLOAT
    half.attr["value"].tensor.tensor_shape.SetInParent()
    half.attr["value"].tensor.float_val.append(0.5)
    for n in range(count):
        add(graph_def, f"p{n}", "PlaceholderWithDefault", ["half"], dtype=FLOAT).attr["shape"].shape.SetInParent()
        add(graph_def, f"n{n}", "Add", [f"n{n - 1}" if n else "images", f"p{n}"], T=FLOAT)
    return before_net(graph_def, f"n{count - 1}")


def heads(count):
    graph_def = plain()
    for n in range(count):
        add(graph_def, f"n{n}", "Neg", ["logits"], T=FLOAT)
        add(graph_def, f"softmax{n}", "Softmax", [f"n{n}"], T=FLOAT)
    return graph_def


def many_edges(count):
    graph_def = plain()
    for n in range(count):
        add(graph_def, f"n{n}", "NoOp", [f"^n{max(0, n - m)}" for m in range(1, 21)] if n > 20 else [])
    return graph_def


def functions(count, calls=1, last="Identity"):
    """Each calls the next one, so many times; the net calls the first."""
    graph_def = plain()
    for n in range(count):
        made = graph_def.library.function.add()
        made.signature.name = f"f{n}"
        made.signature.input_arg.add(name="x", type=FLOAT)
        made.signature.output_arg.add(name="y", type=FLOAT)
        before = "x"
        for m in range(calls if n < count - 1 else 0):
            _call(made.node_def, f"n{m}", f"f{n + 1}", before)
            before = f"n{m}:output:0"
        if n == count - 1:
            made.node_def.add(name="n", op=last, input=["x"]).attr["T"].type = FLOAT
            before = "n:output:0"
        made.ret["y"] = before
    _call(graph_def.node, "call", "f0", "images")
    return before_net(graph_def, "call")


def _call(nodes, name, function, before):
    node = nodes.add(name=name, op="PartitionedCall", input=[before])
    node.attr["Tin"].list.type.append(FLOAT)
    node.attr["Tout"].list.type.append(FLOAT)
    node.attr["f"].func.name = function


# shapes that a search has to pass again and again


def star(count):
    """One tensor with so many users, all of them on the way to the scores."""
    graph_def = plain()
    for n in range(count):
        add(graph_def, f"n{n}", "Neg", ["images"], T=FLOAT)
    add(graph_def, "sum", "AddN", [f"n{n}" for n in range(count)], T=FLOAT).attr["N"].i = count
    return before_net(graph_def, "sum")


def outputs(count):
    """One tensor with so many users, none of which reaches the scores."""
    graph_def = plain()
    for n in range(count):
        add(graph_def, f"n{n}", "Neg", ["logits"], T=FLOAT)
    return graph_def


def mesh(count):
    """A square in which every op adds its two neighbours."""
    graph_def, side = plain(), int(count**0.5)
    for n in range(side):
        for m in range(side):
            above = f"n{n - 1}_{m}" if n else "images"
            add(graph_def, f"n{n}_{m}", "Add", [above, f"n{n}_{m - 1}" if m else "images"], T=FLOAT)
    return before_net(graph_def, f"n{side - 1}_{side - 1}")


def swishes(count):
    graph_def, last = plain(), "images"
    for n in range(count // 2):
        add(graph_def, f"gate{n}", "Sigmoid", [last], T=FLOAT)
        last = add(graph_def, f"n{n}", "Mul", [last, f"gate{n}"], T=FLOAT).name
    return before_net(graph_def, last)


def distant_gates(count):
    """Gates at the end of a chain that all weigh its start."""
    graph_def, number = chain(count // 2), count // 4
    end = node_of(graph_def, "Identity").input[0]
    for n in range(number):
        add(graph_def, f"gate{n}", "Sigmoid", [end], T=FLOAT)
        add(graph_def, f"weighed{n}", "Mul", ["images", f"gate{n}"], T=FLOAT)
    add(graph_def, "sum", "AddN", [f"weighed{n}" for n in range(number)], T=FLOAT).attr["N"].i = number
    return before_net(graph_def, "sum")


def heads_behind_a_chain(count):
    graph_def = heads(count // 4)
    for n in range(count // 2):
        add(graph_def, f"before{n}", "Identity", [f"before{n - 1}" if n else "images"], T=FLOAT)
    return before_net(graph_def, f"before{count // 2 - 1}")


def heads_after_a_chain(count):
    """Each softmax looks back to the scores through the same chain."""
    graph_def = plain()
    for n in range(count // 2):
        add(graph_def, f"n{n}", "Identity", [f"n{n - 1}" if n else "logits"], T=FLOAT)
    for n in range(count // 2):
        add(graph_def, f"softmax{n}", "Softmax", [f"n{count // 2 - 1}"], T=FLOAT)
    return graph_def


def _convolution(graph_def, name, before):
    """A convolution from 3 channels to 3."""
    if not any(node.name == "three" for node in graph_def.node):
        kernel = add(graph_def, "three", "Const", dtype=FLOAT).attr["value"].tensor
        kernel.dtype = FLOAT
        for side in (1, 1, 3, 3):
            kernel.tensor_shape.dim.add().size = side
        kernel.float_val.append(0.1)
    made = graph_def.node.add()
    made.CopyFrom(node_of(graph_def, "Conv2D"))
    made.name = name
    made.input[:] = [before, "three"]


def residual_blocks(count):
    graph_def, last = plain(), "images"
    for n in range(count // 3):
        _convolution(graph_def, f"conv{n}", last)
        add(graph_def, f"relu{n}", "Relu", [f"conv{n}"], T=FLOAT)
        last = add(graph_def, f"sum{n}", "Add", [last, f"relu{n}"], T=FLOAT).name
    return before_net(graph_def, last)


def parallel_convolutions(count):
    graph_def = plain()
    for n in range(count):
        _convolution(graph_def, f"conv{n}", "images")
    add(graph_def, "sum", "AddN", [f"conv{n}" for n in range(count)], T=FLOAT).attr["N"].i = count
    return before_net(graph_def, "sum")


def summaries(count):
    graph_def = plain()
    tag = add(graph_def, "tag", "Const", dtype=7).attr["value"].tensor
    tag.dtype = 7
    tag.tensor_shape.SetInParent()
    tag.string_val.append(b"x")
    for n in range(count):
        add(graph_def, f"shown{n}", "Identity", ["logits"], T=FLOAT)
        add(graph_def, f"n{n}", "HistogramSummary", ["tag", f"shown{n}"], T=FLOAT)
    return graph_def


def circle_of_a_loop():
    """A Merge that takes its own value first: who walks back from the softmax never arrives."""
    graph_def = plain()
    add(graph_def, "merge", "Merge", ["next", "logits"], T=FLOAT).attr["N"].i = 2
    add(graph_def, "next", "NextIteration", ["merge"], T=FLOAT)
    add(graph_def, "end", "Identity", ["merge"], T=FLOAT)
    add(graph_def, "softmax", "Softmax", ["end"], T=FLOAT)
    return graph_def
