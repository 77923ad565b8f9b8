"""Fuzzing of model, weights and label files: whatever they hold, they load or are refused with a GradCamError.

    python tests/fuzz_models.py --cases 20000 --seed 7           a long run (make fuzz)
    python tests/fuzz_models.py --seed 7 --case 1234             one case again, with its traceback

Cases run in a process of their own with limits of time and memory. Where it dies or hangs, the case is a finding and
the next process goes on behind it. A case is made of its number and the seed alone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import zipfile

SECONDS, MEMORY = 20, 6 * 2**30
SCRIPT = os.path.abspath(__file__)
PATIENCE = 4 * SECONDS + 60  # for a worker that says nothing; its start is slow
BUG = "BUG"


# seeds: one small whole file (or folder) of every kind


def write_seeds(folder):
    """Small whole files of all kinds in `folder`."""
    import h5py
    import numpy as np
    from loader_nets import freeze, net_session, save_checkpoint, save_saved_model

    from gradcam_tf1 import tf_runtime as runtime
    from gradcam_tf1.tf_runtime import tf

    def path(name):
        return os.path.join(folder, name)

    with net_session() as session:
        frozen = freeze(session)
        with open(path("net.pb"), "wb") as file:
            file.write(frozen.SerializeToString())
        with open(path("net.pbtxt"), "w") as file:
            file.write(str(frozen))
        save_saved_model(session, path("saved"))
    with net_session(training=True) as session:
        save_checkpoint(session, folder)
    keras = runtime.keras()
    with tf.Graph().as_default() as graph, tf.Session(graph=graph).as_default():
        stack = [keras.layers.Conv2D(3, 3, name="conv1_1", input_shape=(8, 8, 3)), keras.layers.Flatten()]
        keras.models.Sequential([*stack, keras.layers.Dense(4)]).save(path("net.h5"))
    kernel, bias = np.zeros((3, 3, 3, 4), np.float32), np.zeros(4, np.float32)
    with h5py.File(path("block.h5"), "w") as file:
        file.attrs["layer_names"] = [b"block1_conv1"]
        group = file.create_group("block1_conv1")
        group.attrs["weight_names"] = [b"block1_conv1_W_1:0", b"block1_conv1_b_1:0"]
        group["block1_conv1_W_1:0"], group["block1_conv1_b_1:0"] = kernel, bias
    np.save(path("vgg.npy"), {"conv1_1": [kernel, bias]})
    np.savez(path("vgg.npz"), conv1_1_W=kernel, conv1_1_b=bias)
    with zipfile.ZipFile(path("vgg.pth"), "w") as archive:
        archive.writestr("vgg/data.pkl", pickle.dumps({"features.0.weight": [1.0] * 20}, protocol=2))
        archive.writestr("vgg/data/0", kernel.tobytes())
    for name, text in {
        "labels.txt": "tench, Tinca tinca\ngoldfish\n",
        "ids.txt": "0:tench\n1:goldfish\n",
        "labels.json": '{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}',
        "dict.txt": "{0: 'tench, Tinca tinca',\n 1: 'goldfish'}",
        "labels.csv": "id,name\n0,tench\n1,goldfish\n",
    }.items():
        with open(path(name), "w") as file:
            file.write(text)


# mutations


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


def giant_fill(graph, draw):
    """A Fill that nobody asked for, of a size that no machine has, added to the scores or their shape."""
    dims = graph.node.add(name="huge/dims", op="Const")
    dims.attr["dtype"].type = 9
    dims.attr["value"].tensor.dtype = 9
    dims.attr["value"].tensor.tensor_shape.dim.add().size = 1
    dims.attr["value"].tensor.int64_val.append(draw.choice((2**40, 2**62, -1, 2**33)))
    one = graph.node.add(name="huge/one", op="Const")
    one.attr["dtype"].type = 1
    one.attr["value"].tensor.dtype = 1
    one.attr["value"].tensor.tensor_shape.SetInParent()
    one.attr["value"].tensor.float_val.append(1)
    fill = graph.node.add(name="huge/fill", op="Fill", input=["huge/dims", "huge/one"])
    fill.attr["T"].type, fill.attr["index_type"].type = 1, 9
    axes = graph.node.add(name="huge/axes", op="Const")
    axes.attr["dtype"].type = 3
    axes.attr["value"].tensor.dtype = 3
    axes.attr["value"].tensor.tensor_shape.SetInParent()
    axes.attr["value"].tensor.int_val.append(0)
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


# cases


def prepare(seeds, folder, number, seed):
    """The files of one case; returns (what it is, the path to load, how)."""
    draw = random.Random(f"{seed}:{number}")
    kind = draw.choice(sorted(KINDS))
    name, how, parts = KINDS[kind]
    source = os.path.join(seeds, name)
    if os.path.isdir(source):
        shutil.copytree(source, os.path.join(folder, name))
    for sibling in os.listdir(seeds):
        if sibling.startswith(name) and os.path.isfile(os.path.join(seeds, sibling)):
            shutil.copy(os.path.join(seeds, sibling), folder)
    target = os.path.join(folder, draw.choice(parts))
    with open(target, "rb") as file:
        data = bytearray(file.read())
    message = MESSAGES.get(os.path.basename(target)[-6:]) if kind.endswith("graph") else None
    if message:
        data = mutated_message(message, data, draw)
    else:
        for _ in range(draw.choice((1, 1, 1, 3))):
            if data:
                draw.choice(BYTES)(data, draw)
    with open(target, "wb") as file:
        file.write(bytes(data))
    return f"{kind}: {os.path.basename(target)}", os.path.join(folder, name), how


def mutated_message(kind, data, draw):
    from gradcam_tf1.tf_runtime import saved_model_message, tf

    message = {"graph": tf.GraphDef, "meta": tf.MetaGraphDef, "saved": saved_model_message()}[kind]()
    message.ParseFromString(bytes(data))
    mutate_graph({"graph": _self, "meta": _meta_graph, "saved": _saved_graph}[kind](message), draw)
    return message.SerializeToString()


def _self(message):
    return message


def _meta_graph(message):
    return message.graph_def


def _saved_graph(message):
    return message.meta_graphs[0].graph_def


def try_model(path):
    import numpy as np

    from gradcam_tf1.graph import GradCamGraph

    with GradCamGraph(path, preset="zero-one") as net:
        net.explain([np.zeros((9, 9, 3), np.uint8)])


def try_weights(path):
    from gradcam_tf1.nets.vgg_weights import read_weights

    read_weights(path, 11)


def try_labels(path):
    from gradcam_tf1.labels import read_labels

    names = read_labels(path)
    assert names
    assert all(isinstance(name, str) for name in names)


CHECKPOINT = "model.ckpt-7"
# kind -> what is copied (a prefix of names), how it is tried, which of its files are changed
KINDS = {
    "pb bytes": ("net.pb", try_model, ["net.pb"]),
    "pb graph": ("net.pb", try_model, ["net.pb"]),
    "pb second graph": ("net.pb", try_model, ["net.pb"]),
    "pbtxt bytes": ("net.pbtxt", try_model, ["net.pbtxt"]),
    "checkpoint bytes": (
        CHECKPOINT,
        try_model,
        [CHECKPOINT + end for end in (".meta", ".index", ".data-00000-of-00001")],
    ),
    "checkpoint graph": (CHECKPOINT, try_model, [CHECKPOINT + ".meta"]),
    "saved bytes": ("saved", try_model, ["saved/saved_model.pb", "saved/variables/variables.index"]),
    "saved graph": ("saved", try_model, ["saved/saved_model.pb"]),
    "h5 bytes": ("net.h5", try_model, ["net.h5"]),
    "h5 weights": ("block.h5", try_weights, ["block.h5"]),
    "npy": ("vgg.npy", try_weights, ["vgg.npy"]),
    "npz": ("vgg.npz", try_weights, ["vgg.npz"]),
    "pth": ("vgg.pth", try_weights, ["vgg.pth"]),
    "slim": (CHECKPOINT, try_weights, [CHECKPOINT + ".index"]),
    "labels": ("labels.txt", try_labels, ["labels.txt"]),
    "labels with ids": ("ids.txt", try_labels, ["ids.txt"]),
    "labels json": ("labels.json", try_labels, ["labels.json"]),
    "labels dict": ("dict.txt", try_labels, ["dict.txt"]),
    "labels csv": ("labels.csv", try_labels, ["labels.csv"]),
}
MESSAGES = {"net.pb": "graph", "7.meta": "meta", "del.pb": "saved"}


def run_case(seeds, number, seed, loud=False):
    """'loads', 'refused: why' or 'BUG ...'."""
    from gradcam_tf1.errors import GradCamError

    with tempfile.TemporaryDirectory() as folder:
        what, path, how = prepare(seeds, folder, number, seed)
        signal.alarm(SECONDS)
        try:
            how(path)
            told = "loads"
        except GradCamError as error:
            told = f"refused: {str(error)!r:.300}".replace(folder, "")
        except BaseException as error:  # a finding
            if loud:
                traceback.print_exc()
            told = f"{BUG} {type(error).__name__}: {str(error)!r:.300}"
        finally:
            signal.alarm(0)
    return f"{what}: {told}"


def work(seeds, seed, numbers):
    """The worker: a line before and a line after each case."""
    import gradcam_tf1.graph  # noqa: F401 - TensorFlow is there before memory is limited
    from gradcam_tf1.tf_runtime import tf

    tf.get_logger().setLevel("ERROR")
    if not os.path.exists(os.path.join(seeds, "done")):
        write_seeds(seeds)
        open(os.path.join(seeds, "done"), "w").close()
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    signal.signal(signal.SIGALRM, _too_long)
    for number in numbers:
        print("start", number, flush=True)
        print("end", number, run_case(seeds, number, seed), flush=True)


def _too_long(*_):
    raise TimeoutError(f"longer than {SECONDS} s")


def fuzz(cases, seed, first=0, budget=None):
    """Results by number, of `cases` cases or as many as `budget` seconds allow; one that kills its process is a BUG."""
    results, number, started = {}, first, time.time()
    with tempfile.TemporaryDirectory() as seeds:
        while number < first + cases and (budget is None or time.time() - started < budget):
            number = _batch(seeds, seed, number, first + cases, results, budget and started + budget)
    return results


def _batch(seeds, seed, number, end, results, until):
    command = [sys.executable, SCRIPT, "--work", seeds, "--seed", str(seed), "--case", str(number)]
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join([os.path.dirname(os.path.abspath(__file__)), *sys.path]),
    }
    with tempfile.TemporaryFile("w+") as errors:
        worker = subprocess.Popen(
            [*command, "--cases", str(end - number)], stdout=subprocess.PIPE, stderr=errors, env=environment, text=True
        )
        current = None
        for line in _lines(worker, PATIENCE):
            word, rest = line.split(" ", 1)
            if word == "start":
                current = int(rest)
            elif word == "end":
                told = rest.split(" ", 1)
                results[int(told[0])] = told[1].strip()
                number, current = int(told[0]) + 1, None
            if until and time.time() > until:
                worker.kill()
                worker.wait()
                return number
        code = worker.wait()
        if current is not None:
            errors.seek(0)
            results[current] = f"{BUG}: the process ended with {code}: {errors.read()[-300:]!r}"
            return current + 1
        if code:
            errors.seek(0)
            raise RuntimeError(f"the worker failed: {errors.read()[-2000:]}")
    return number


def _lines(worker, patience):
    """Lines of the worker; it is killed where none comes for long."""
    timer = None
    while True:
        timer = threading.Timer(patience, worker.kill)
        timer.start()
        line = worker.stdout.readline()
        timer.cancel()
        if not line:
            return
        if line.startswith(("start ", "end ")):
            yield line


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--case", type=int)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.seed, range(options.case, options.case + options.cases))
        return
    if options.case is not None:
        with tempfile.TemporaryDirectory() as seeds:
            write_seeds(seeds)
            signal.signal(signal.SIGALRM, _too_long)
            print(run_case(seeds, options.case, options.seed, loud=True))
        return
    results = fuzz(options.cases, options.seed)
    bugs = {number: told for number, told in results.items() if BUG in told}
    loads = sum(told.endswith("loads") for told in results.values())
    for number, told in bugs.items():
        print(f"case {number}: {told}")
    print(f"seed {options.seed}: {len(results)} cases, {loads} load, {len(results) - loads - len(bugs)} are refused")
    print(f"{len(bugs)} findings")
    sys.exit(bool(bugs))


if __name__ == "__main__":
    main()
