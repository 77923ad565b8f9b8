"""Write tests/data/relevance_twins.npz: relevance of a small net by zennit and innvestigate.

Run it once in an environment of zennit (with torch) and once in one of innvestigate (2.1, with TensorFlow 2):

    python scripts/relevance_twins.py zennit
    python scripts/relevance_twins.py innvestigate

The net is `relevance_nets.twin_net` of the tests, with its batch norm folded into the convolution.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parent.parent / "tests"
STORED = TESTS / "data" / "relevance_twins.npz"
CLASS = 2


def weights(biased=True):
    """Return the weights of the net, rounded to float32, its batch norm folded, and images."""
    sys.path.insert(0, str(TESTS / "support"))
    from relevance_weights import folded, twin_images, twin_weights

    return folded(twin_weights(biased)), twin_images()


def by_zennit():
    """Return name -> relevance float32 [N, H, W, C]."""
    import torch
    from zennit import rules
    from zennit.layer import Sum

    w, images = weights()

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = torch.nn.Conv2d(3, 6, 3)
            self.conv2 = torch.nn.Conv2d(6, 6, 3, padding=1)
            self.dense1 = torch.nn.Linear(6, 8)
            self.dense2 = torch.nn.Linear(8, 4)
            self.sum, self.pool = Sum(), torch.nn.AvgPool2d(2)
            for name in ("conv1", "conv2", "dense1", "dense2"):
                kernel, bias = w[f"{name}_kernel"], w[f"{name}_bias"]
                turned = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
                getattr(self, name).weight.data = torch.from_numpy(turned.copy())
                getattr(self, name).bias.data = torch.from_numpy(bias)

        def forward(self, x):
            a = torch.nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
            a = torch.relu(self.sum(torch.stack([self.conv2(a), a], dim=-1)))
            a = self.pool(a).permute(0, 2, 3, 1).reshape(len(x), -1)
            return self.dense2(torch.relu(self.dense1(a)))

    def relevance(convolutions, dense, first):
        net = Net()
        made = {"conv1": first, "conv2": convolutions, "dense1": dense, "dense2": dense}
        hooks = [make().register(getattr(net, name)) for name, make in made.items()]
        hooks += [rules.Norm().register(net.sum), rules.Norm().register(net.pool)]
        x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).requires_grad_()
        logits = net(x)
        start = torch.zeros_like(logits)
        start[:, CLASS] = logits[:, CLASS].detach()
        (grad,) = torch.autograd.grad(logits, x, start)
        for hook in hooks:
            hook.remove()
        return grad.numpy().transpose(0, 2, 3, 1)

    def plus():  # of the paper, which has no biases
        return rules.ZPlus(zero_params=["bias"])

    def box():
        return rules.ZBox(low=-3.0, high=3.0)

    ways = {
        "epsilon": (rules.Epsilon,) * 3,
        "epsilon_large": (lambda: rules.Epsilon(0.1),) * 3,
        "gamma": (rules.Gamma,) * 3,
        "alpha_beta": (rules.AlphaBeta,) * 3,
        "zplus": (plus,) * 3,
        "alpha1_beta0": (rules.ZPlus,) * 3,
        "epsilon_plus_flat": (plus, rules.Epsilon, rules.Flat),
        "epsilon_alpha2_beta1": (rules.AlphaBeta, rules.Epsilon, rules.AlphaBeta),
        "epsilon_gamma_box": (rules.Gamma, rules.Epsilon, box),
        "w2": (rules.Epsilon, rules.Epsilon, lambda: rules.WSquare(zero_params=["bias"])),
        "deep_taylor": (plus, plus, box),
    }
    return {f"zennit_{name}": relevance(*way) for name, way in ways.items()}


def by_innvestigate():
    """Return name -> relevance float32 [N, H, W, C].

    Its rules with alpha add both b+ and b- to each sum, where the paper adds one of them: here they have no biases.
    """
    import innvestigate
    import tensorflow as tf

    tf.compat.v1.disable_eager_execution()
    layers = tf.keras.layers
    x = layers.Input((9, 9, 3))
    a = layers.Conv2D(6, 3, activation="relu", name="conv1")(x)
    a = layers.MaxPooling2D(2)(a)
    b = layers.Conv2D(6, 3, padding="same", name="conv2")(a)
    a = layers.Activation("relu")(layers.Add()([b, a]))
    a = layers.Flatten()(layers.AveragePooling2D(2)(a))
    a = layers.Dense(8, activation="relu", name="dense1")(a)
    net = tf.keras.Model(x, layers.Dense(4, name="dense2")(a))
    found = {}
    for name in ("lrp.epsilon", "lrp.z", "lrp.alpha_2_beta_1", "lrp.alpha_1_beta_0", "lrp.sequential_preset_a_flat"):
        w, images = weights(biased=name in ("lrp.epsilon", "lrp.z"))
        for layer in ("conv1", "conv2", "dense1", "dense2"):
            net.get_layer(layer).set_weights([w[f"{layer}_kernel"], w[f"{layer}_bias"]])
        analyzer = innvestigate.create_analyzer(name, net, neuron_selection_mode="index")
        found[f"innvestigate_{name.split('.')[1]}"] = analyzer.analyze(images, CLASS)
    return found


if __name__ == "__main__":
    fresh = {"zennit": by_zennit, "innvestigate": by_innvestigate}[sys.argv[1]]()
    before = dict(np.load(STORED)) if STORED.exists() else {}
    np.savez_compressed(STORED, **{**before, **{name: np.float32(value) for name, value in fresh.items()}})
