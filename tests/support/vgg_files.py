"""Writes one set of VGG weights in every format that the readers know, as the original programs write them."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from typing import Dict, List, Tuple

import h5py
import numpy as np

from gradcam_tf1.nets.vgg_layers import DENSE, Layers, conv_names, random_weights
from gradcam_tf1.tf_runtime import tf

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
FORMATS = ("npy", "npz_W", "npz_kernel", "slim", "slim_old", "fchollet", "new", "nested", "whole", "torch_zip",
           "torch_legacy")  # fmt: skip


def matrices(layers: Layers) -> Layers:
    """Dense kernels as matrices [in, out], which is how all formats but TF-Slim's have them."""
    return {
        name: (kernel.reshape(-1, kernel.shape[3]) if name in DENSE else kernel, bias)
        for name, (kernel, bias) in layers.items()
    }


def write_npy(path, layers: Layers) -> str:
    np.save(str(path), {name: [kernel, bias] for name, (kernel, bias) in matrices(layers).items()}, allow_pickle=True)
    return str(path)


def write_npz(path, layers: Layers, kernel="_W", bias="_b") -> str:
    arrays = {}
    for name, (k, b) in matrices(layers).items():
        arrays.update({name + kernel: k, name + bias: b})
    np.savez(str(path), **arrays)
    return str(path)


def write_slim(prefix, layers: Layers, scope: str, old_format: bool = False) -> str:
    """TF-Slim trains on RGB: its first kernel's input channels are the other way round."""
    with tf.Graph().as_default(), tf.Session() as session:
        variables = {}
        for name, (kernel, bias) in layers.items():
            place = f"{scope}/{name}" if name in DENSE else f"{scope}/{name[:5]}/{name}"
            rgb = kernel[:, :, ::-1] if name == "conv1_1" else kernel
            variables[f"{place}/weights"] = tf.Variable(rgb)
            variables[f"{place}/biases"] = tf.Variable(bias)
        variables["global_step"] = tf.Variable(np.int64(7))
        session.run(tf.global_variables_initializer())
        version = tf.train.SaverDef.V1 if old_format else tf.train.SaverDef.V2
        return tf.train.Saver(variables, write_version=version).save(session, str(prefix), write_meta_graph=False)


def write_keras(path, layers: Layers, style: str = "fchollet") -> str:
    """style: "fchollet" (released files), "new" (layer/kernel:0), "nested" (VGG in a model), "whole" (model.save)."""
    with h5py.File(str(path), "w") as file:
        root = file.create_group("model_weights") if style == "whole" else file
        groups = {"input_1": []}
        for name, pair in matrices(layers).items():
            plain = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}.get(name) or f"block{name[4]}_conv{name[6:]}"
            old = (f"{plain}_W_1:0", f"{plain}_b_1:0")
            names = old if style == "fchollet" else (f"{plain}/kernel:0", f"{plain}/bias:0")
            groups.setdefault("vgg" if style == "nested" else plain, []).extend(zip(names, pair))
        root.attrs["layer_names"] = np.array([name.encode() for name in groups])
        for name, arrays in groups.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = np.array([key.encode() for key, _ in arrays], "S40")
            for key, array in arrays:
                group.create_dataset(key, data=array)
    return str(path)


def torch_state(layers: Layers, depth: int) -> Dict[str, np.ndarray]:
    """Names and axis orders of torchvision: OIHW, and classifier.0 takes channel, height, width."""
    names, index = {}, 0
    for name, after in zip(conv_names(depth), [*conv_names(depth)[1:], "end"]):
        names[name] = f"features.{index}"
        index += 2 if after[:5] == name[:5] else 3
    names.update({"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"})
    state = {}
    for name, (kernel, bias) in layers.items():
        oihw = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        state[f"{names[name]}.weight"] = oihw.reshape(oihw.shape[0], -1) if name in DENSE else oihw
        state[f"{names[name]}.bias"] = bias
    return state


def write_torch_zip(path, state: Dict[str, np.ndarray]) -> str:
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("vgg/data.pkl", _state_pickle(state, legacy=False))
        archive.writestr("vgg/byteorder", "little")
        for index, array in enumerate(state.values()):
            archive.writestr(f"vgg/data/{index}", array.astype("<f4").tobytes())
        archive.writestr("vgg/version", "3\n")
    return str(path)


def write_torch_legacy(path, state: Dict[str, np.ndarray]) -> str:
    with open(str(path), "wb") as stream:
        for head in (TORCH_MAGIC, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}):
            pickle.dump(head, stream, protocol=2)
        stream.write(_state_pickle(state, legacy=True))
        pickle.dump([str(index) for index in range(len(state))], stream, protocol=2)
        for array in state.values():
            stream.write(struct.pack("<q", array.size) + array.astype("<f4").tobytes())
    return str(path)


def _state_pickle(state: Dict[str, np.ndarray], legacy: bool) -> bytes:
    """The opcodes torch.save writes for an OrderedDict of contiguous float tensors."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def integers(values: List[int]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    empty = b"ccollections\nOrderedDict\n)R"
    out = b"\x80\x02" + empty + b"("
    for index, (name, array) in enumerate(state.items()):
        strides = [int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim)]
        number = b"J" + struct.pack("<i", array.size)
        storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(str(index)) + text("cpu") + number
        storage += (b"N" if legacy else b"") + b"tQ"
        view = b"K\x00" + integers(list(array.shape)) + integers(strides) + b"\x89" + empty
        out += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"tR"
    return out + b"u."


def all_formats(folder, layers: Layers, depth: int) -> Dict[str, str]:
    """One file of each format in `folder`: description -> path."""
    folder = str(folder)
    state = torch_state(layers, depth)
    scope = "vgg_a" if depth == 11 else f"vgg_{depth}"
    return {
        "npy": write_npy(os.path.join(folder, "vgg.npy"), layers),
        "npz_W": write_npz(os.path.join(folder, "vgg_W.npz"), layers),
        "npz_kernel": write_npz(os.path.join(folder, "vgg_kernel.npz"), layers, "/kernel", "/bias"),
        "slim": write_slim(os.path.join(folder, "vgg.ckpt"), layers, scope),
        "slim_old": write_slim(os.path.join(folder, "vgg_old.ckpt"), layers, scope, old_format=True),
        **{s: write_keras(os.path.join(folder, f"{s}.h5"), layers, s) for s in ("fchollet", "new", "nested", "whole")},
        "torch_zip": write_torch_zip(os.path.join(folder, "vgg_zip.pth"), state),
        "torch_legacy": write_torch_legacy(os.path.join(folder, "vgg_legacy.pth"), state),
    }


def small_vgg(folder, depth: int) -> Tuple[object, Dict[str, str]]:
    """(weights of a thin VGG, format -> path of a file of them)."""
    weights = random_weights(depth, seed=depth, classes=10, width=1 / 32)
    return weights, all_formats(folder, weights.layers, depth)
