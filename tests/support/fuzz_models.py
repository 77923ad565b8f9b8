"""Fuzzing of model, weights and label files: whatever they hold, they load or are refused with a GradCamError.

    python tests/support/fuzz_models.py --cases 20000 --seed 7           a long run (make fuzz)
    python tests/support/fuzz_models.py --seed 7 --case 1234             one case again, with its traceback

Cases run in a process of their own with limits of processor time and memory. Where it dies or hangs, the case is a
finding and the next process goes on behind it. A case is made of its number and the seed alone.
"""

from __future__ import annotations

import argparse
import os
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

from fuzz_mutations import BYTES, mutate_functions, mutate_graph, mutate_objects, mutate_slices
from fuzz_seeds import write_seeds
from fuzz_strangers import ARRANGED, CHECKPOINT, try_image

SECONDS, MEMORY = 20, 6 * 2**30  # of processor time: a busy machine is no finding
SCRIPT = os.path.abspath(__file__)
PATIENCE = 30 * SECONDS  # of the clock, for a worker that says nothing
BUG = "BUG"


def prepare(seeds, folder, number, seed):
    """The files of one case; returns (what it is, the path to load, how)."""
    draw = random.Random(f"{seed}:{number}")
    there = os.listdir(seeds)
    kind = draw.choice([kind for kind in sorted(KINDS) if any(name.startswith(KINDS[kind][0]) for name in there)])
    name, how, parts = KINDS[kind]
    for sibling in there:
        source = os.path.join(seeds, sibling)
        if sibling.startswith(name) and os.path.isfile(source):
            shutil.copy(source, folder)
        elif sibling == name or (sibling in ("saved", "functions") and not parts and name == "saved"):
            shutil.copytree(source, os.path.join(folder, sibling))
    if kind in ARRANGED:
        path = ARRANGED[kind](folder, draw)
        return f"{kind}: {os.path.relpath(path, folder)!a:.60}", path, how
    target = os.path.join(folder, draw.choice(parts))
    with open(target, "rb") as file:
        data = bytearray(file.read())
    mutate = MUTATIONS.get(kind)
    if mutate:
        data = mutate(bytes(data), draw)
    else:
        for _ in range(draw.choice((1, 1, 1, 3))):
            if data:
                draw.choice(BYTES)(data, draw)
    with open(target, "wb") as file:
        file.write(bytes(data))
    return f"{kind}: {os.path.basename(target)}", os.path.join(folder, name), how


def mutated_graph(data, draw):
    from gradcam_tf1.tf_runtime import tf

    graph = tf.GraphDef.FromString(data)
    mutate_graph(graph, draw)
    return graph.SerializeToString()


def mutated_meta_graph(data, draw):
    from gradcam_tf1.tf_runtime import tf

    meta = tf.MetaGraphDef.FromString(data)
    mutate_graph(meta.graph_def, draw)
    return meta.SerializeToString()


def mutated_slices(data, draw):
    """A single-file checkpoint with right checksums and wrong entries."""
    from table_files import table

    from gradcam_tf1.graphdef.checkpoint_index import entries
    from gradcam_tf1.tf_runtime import saved_slices_message

    items = dict(entries(data))
    for _ in range(draw.choice((1, 1, 2))):
        key = draw.choice((b"", b"", *sorted(items)))
        slices = saved_slices_message().FromString(items.get(key, b""))
        mutate_slices(slices, draw)
        items[draw.choice((key, key, key, draw.choice(sorted(items))))] = slices.SerializeToString()
        if draw.random() < 0.1:
            del items[draw.choice(sorted(items))]
    return table(sorted(items.items()))


def mutated_saved_model(mutate):
    def mutated(data, draw):
        from gradcam_tf1.tf_runtime import saved_model_message

        saved = saved_model_message().FromString(data)
        mutate(saved.meta_graphs[0], draw)
        return saved.SerializeToString()

    return mutated


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


SAVED_FILES = (
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "fingerprint.pb",
)
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
    "single file": ("single.ckpt", try_model, ["single.ckpt"]),
    "single file's slices": ("single.ckpt", try_model, ["single.ckpt"]),
    "saved bytes": ("saved", try_model, ["saved/saved_model.pb", "saved/variables/variables.index"]),
    "saved graph": ("saved", try_model, ["saved/saved_model.pb"]),
    # of TensorFlow 2, and there alone
    "functions bytes": ("functions", try_model, [f"functions/{name}" for name in SAVED_FILES]),
    "functions graph": ("functions", try_model, ["functions/saved_model.pb"]),
    "functions bodies": ("functions", try_model, ["functions/saved_model.pb"]),
    "functions objects": ("functions", try_model, ["functions/saved_model.pb"]),
    # arranged as a whole, see fuzz_strangers.py
    "graphs in twos": ("saved", try_model, []),
    "checkpoint folders": (CHECKPOINT, try_model, []),
    "checkpoint index": (CHECKPOINT, try_model, []),
    "h5 configuration": ("net.h5", try_model, []),
    "large graph": ("net.pb", try_model, []),
    "jpeg scans": ("labels.txt", try_image, []),
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
# kinds whose messages are changed, not their bytes
MUTATIONS = {
    "pb graph": mutated_graph,
    "pb second graph": mutated_graph,
    "checkpoint graph": mutated_meta_graph,
    "single file's slices": mutated_slices,
    "saved graph": mutated_saved_model(lambda meta, draw: mutate_graph(meta.graph_def, draw)),
    "functions graph": mutated_saved_model(lambda meta, draw: mutate_graph(meta.graph_def, draw)),
    "functions bodies": mutated_saved_model(lambda meta, draw: mutate_functions(meta.graph_def, draw)),
    "functions objects": mutated_saved_model(mutate_objects),
}


def run_case(seeds, number, seed, loud=False):
    """'loads', 'refused: why' or 'BUG ...'."""
    from gradcam_tf1.errors import GradCamError

    with tempfile.TemporaryDirectory() as folder:
        what, path, how = prepare(seeds, folder, number, seed)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
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
            signal.setitimer(signal.ITIMER_PROF, 0)
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
    signal.signal(signal.SIGPROF, _too_long)
    for number in numbers:
        print("start", number, flush=True)
        print("end", number, run_case(seeds, number, seed), flush=True)


def _too_long(*_):
    raise TimeoutError(f"more than {SECONDS} s of processor time")


def fuzz(cases, seed, first=0):
    """Results by number; a case that kills its process is a BUG."""
    results, number = {}, first
    with tempfile.TemporaryDirectory() as seeds:
        while number < first + cases:
            number = _batch(seeds, seed, number, first + cases, results)
    return results


def _batch(seeds, seed, number, end, results):
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
            signal.signal(signal.SIGPROF, _too_long)
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
