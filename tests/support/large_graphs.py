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
