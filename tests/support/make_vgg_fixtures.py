# ruff: noqa: C402, T201, UP036
"""Made the tiny VGG-11 files in data/, each with the program that such files really come from.

python2.7 make_vgg_fixtures.py     (numpy 1.16)  -> vgg11_python2.npy
python3   make_vgg_fixtures.py     (torch 2.13)  -> vgg11_torch.pth, vgg11_torch_legacy.pth, dtypes_torch.pth,
                                                    and prints torch's own logits for `image()`
"""

import os
import sys

import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
CONVOLUTIONS = [("conv1_1", 3, 2), ("conv2_1", 2, 4), ("conv3_1", 4, 8), ("conv3_2", 8, 8),
                ("conv4_1", 8, 8), ("conv4_2", 8, 8), ("conv5_1", 8, 8), ("conv5_2", 8, 8)]  # fmt: skip
DENSE = [("fc6", 7 * 7 * 8, 16), ("fc7", 16, 16), ("fc8", 16, 5)]


def tiny_layers():
    """Layer -> (kernel, bias) of a VGG-11 with 2 to 8 channels and 5 classes; HWIO, dense kernels [in, out]."""
    rng = np.random.RandomState(5)
    layers = {}
    for name, inputs, outputs in CONVOLUTIONS + DENSE:
        shape = (3, 3, inputs, outputs) if name.startswith("conv") else (inputs, outputs)
        kernel = rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[:-1]))
        layers[name] = (kernel.astype(np.float32), (0.1 * rng.standard_normal(outputs)).astype(np.float32))
    return layers


def image():
    """float32 [1, 224, 224, 3], already preprocessed."""
    return np.random.RandomState(6).standard_normal((1, 224, 224, 3)).astype(np.float32)


def write_python2():
    np.save(os.path.join(FOLDER, "vgg11_python2.npy"), dict((k, list(v)) for k, v in tiny_layers().items()))


def write_torch():
    import torch

    parts = {"features": [], "classifier": [torch.nn.Linear(392, 16), torch.nn.ReLU(), torch.nn.Dropout(),
             torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(16, 5)]}  # fmt: skip
    layers = tiny_layers()
    for index, (name, inputs, outputs) in enumerate(CONVOLUTIONS):
        parts["features"] += [torch.nn.Conv2d(inputs, outputs, 3, padding=1), torch.nn.ReLU()]
        if index + 1 == len(CONVOLUTIONS) or CONVOLUTIONS[index + 1][0][4] != name[4]:
            parts["features"].append(torch.nn.MaxPool2d(2, 2))
    net = torch.nn.ModuleDict({name: torch.nn.Sequential(*modules) for name, modules in parts.items()}).eval()
    places = [m for part in parts.values() for m in part if hasattr(m, "weight")]
    with torch.no_grad():
        for module, (name, _, outputs) in zip(places, CONVOLUTIONS + DENSE):
            kernel = torch.from_numpy(layers[name][0])
            if name == "fc6":
                kernel = kernel.reshape(7, 7, 8, outputs).permute(2, 0, 1, 3).reshape(392, outputs)
            module.weight.copy_(kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)
            module.bias.copy_(torch.from_numpy(layers[name][1]))
        features = net["features"](torch.from_numpy(image()).permute(0, 3, 1, 2))
        print(net["classifier"](features.flatten(1)).numpy().tolist())
    state = net.state_dict()
    torch.save(state, os.path.join(FOLDER, "vgg11_torch.pth"))
    torch.save(state, os.path.join(FOLDER, "vgg11_torch_legacy.pth"), _use_new_zipfile_serialization=False)
    numbers = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    dtypes = {
        "turned": numbers.T,  # strides of a view, storage shared with the next
        "row": numbers[2],
        "half": numbers.half(),
        "bfloat16": numbers.bfloat16(),
        "double": numbers.double(),
        "count": torch.tensor(7),
        "parameter": torch.nn.Parameter(numbers),
        "empty": torch.zeros(0, 3),
    }
    torch.save({"state_dict": dtypes, "epoch": 3}, os.path.join(FOLDER, "dtypes_torch.pth"))


if __name__ == "__main__":
    if sys.version_info[0] == 2:
        write_python2()
    else:
        write_torch()
