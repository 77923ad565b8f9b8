"""What the fuzzer arranges around files: graphs in twos, checkpoints that lead elsewhere, absurd sizes, many scans."""

from __future__ import annotations

import io
import json
import os
import shutil

import large_graphs

CHECKPOINT = "model.ckpt-7"
PATHS = ("../other/model.ckpt-7", "/tmp/model.ckpt-7", CHECKPOINT, "sub/" + CHECKPOINT, "..", "", "a\\\\b", "\x1b[2J")
NUMBERS = (0, -1, 1, 3, 10**9, 2**31 - 1, 2**31, 2**62, 10**30, [10**5, 10**5], [0, 0], None, True, "x", 1e300)
GRAPHS = ("chain", "circle", "waiting_for_one", "waiting_for_a_writer", "unknown_before_the_net", "diamonds")
GRAPHS += ("logical_diamonds", "placeholders", "heads", "many_edges", "functions", "star", "outputs", "mesh", "swishes")
GRAPHS += ("distant_gates", "heads_behind_a_chain", "heads_after_a_chain", "residual_blocks", "summaries")
GRAPHS += ("parallel_convolutions",)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def graphs_in_twos(folder, draw):
    """A SavedModel with further graphs, of the same tags or of others, some of them with code; and files beside it."""
    from fuzz_mutations import mutate_graph

    from gradcam_tf1.tf_runtime import saved_model_message

    name = draw.choice([name for name in ("saved", "functions") if os.path.isdir(os.path.join(folder, name))])
    path = os.path.join(folder, name, "saved_model.pb")
    saved = saved_model_message().FromString(read(path))
    for _ in range(draw.choice((1, 1, 2))):
        meta = saved.meta_graphs.add()
        meta.CopyFrom(saved.meta_graphs[0])
        meta.meta_info_def.tags[:] = draw.choice((["serve"], ["serve", "serve"], ["serve", "gpu"], ["serve,gpu"], []))
        mutate_graph(meta.graph_def, draw)
    if draw.random() < 0.5:
        metas = [saved.meta_graphs[-1], *saved.meta_graphs[:-1]]
        copies = [type(meta).FromString(meta.SerializeToString()) for meta in metas]
        del saved.meta_graphs[:]
        saved.meta_graphs.extend(copies)
    data = saved.SerializeToString()
    if draw.random() < 0.2:
        write(os.path.join(folder, name, draw.choice(("saved_model.pbtxt", "saved_model.cpb"))), data)
    else:
        write(path, data + draw.choice((b"", b"", data[: draw.randrange(len(data))])))
    return os.path.join(folder, name)


def checkpoint_folder(folder, draw):
    """A `checkpoint` file that leads elsewhere, and a folder with the prefix's name and a broken index."""
    other = os.path.join(folder, CHECKPOINT)
    os.mkdir(other)
    for end in (".index", ".data-00000-of-00001", ".meta"):
        shutil.copy(os.path.join(folder, CHECKPOINT + end), os.path.join(other, "evil" + end))
    write(os.path.join(other, "evil.index"), odd_index(read(os.path.join(other, "evil.index")), draw))
    for place in (folder, other):
        text = f'model_checkpoint_path: "{draw.choice((*PATHS, "evil"))}"\n' * draw.choice((0, 1, 1, 1, 2))
        write(os.path.join(place, "checkpoint"), text.encode())
    return draw.choice((other, folder, other + ".index", other + ".meta", os.path.join(folder, "checkpoint")))


def checkpoint_index(folder, draw):
    """An index with odd entries and right checksums."""
    path = os.path.join(folder, CHECKPOINT + ".index")
    write(path, odd_index(read(path), draw))
    return path


def odd_index(data, draw):
    from table_files import table

    from gradcam_tf1.graphdef.checkpoint_index import entries

    items = list(entries(data))
    for _ in range(draw.choice((1, 1, 3))):
        place = draw.randrange(len(items))
        key, value = items[place]
        odd = (b"\xff" * 4, value * 2, value[:-1], b"", value + b"\x0b\x0c", value + b"\x08\x07", b"\x08\x80" * 40)
        items[place] = draw.choice(((key, draw.choice(odd)), (key + b"\xff", value), items[0], (b"", value)))
    return table(items if draw.random() < 0.3 else sorted(dict(items).items()))


def h5_configuration(folder, draw):
    """Numbers and texts of a Keras file's architecture, and layers over and over."""
    import h5py

    path = os.path.join(folder, "net.h5")
    with h5py.File(path, "a") as file:
        text = file.attrs["model_config"]
        config = json.loads(text.decode() if isinstance(text, bytes) else text)
        layers = config["config"]["layers"]
        for _ in range(draw.choice((1, 1, 3))):
            inner = draw.choice(layers)["config"]
            keys = [key for key in sorted(inner) if not key.endswith(("_initializer", "_regularizer", "_constraint"))]
            more = ("target_shape", "n", "size", "unroll", "padding", "units", "batch_input_shape")
            inner[draw.choice((*keys, *more))] = draw.choice(NUMBERS)
        if draw.random() < 0.2:
            nested = {"class_name": "Sequential", "config": json.loads(json.dumps(config["config"]))}
            layers.append(nested if draw.random() < 0.5 else layers[-1])
        if draw.random() < 0.1:
            layers.extend([layers[-1]] * 6000)
        text = json.dumps(config)
        if draw.random() < 0.1:
            text = '{"class_name": "Model", "config": ' * draw.choice((50, 900, 20000)) + text
        del file.attrs["model_config"]
        file.attrs.create("model_config", text.encode(), dtype=h5py.special_dtype(vlen=bytes))
    return path


def large_graph(folder, draw):
    """Thousands of nodes in shapes that took a time that grows with their square, or more."""
    build = getattr(large_graphs, draw.choice(GRAPHS))
    path = os.path.join(folder, "net.pb")
    write(path, build(draw.choice((100, 1000, 3000))).SerializeToString())
    return path


def jpeg_scans(folder, draw):
    """A small file of a large image with many scans, each of them cut short."""
    from PIL import Image

    stream = io.BytesIO()
    side = draw.choice((64, 1000, 3000))
    Image.new("L", (side, side), 90).save(stream, "JPEG")
    data = stream.getvalue()
    start = data.index(b"\xff\xda")
    scan = data[start : start + draw.choice((18, 40, 200))]
    path = os.path.join(folder, "scans.jpg")
    write(path, data[:start] + scan * draw.choice((1, 50, 500, 3000)) + draw.choice((b"", b"\xff\xd9")))
    return path


def try_image(path):
    from gradcam_tf1.images.image_files import read_image

    read_image(path)


# kind -> what arranges the copied files and names the path to try
ARRANGED = {
    "graphs in twos": graphs_in_twos,
    "checkpoint folders": checkpoint_folder,
    "checkpoint index": checkpoint_index,
    "h5 configuration": h5_configuration,
    "large graph": large_graph,
    "jpeg scans": jpeg_scans,
}
