# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Choosing a layer and a method
#
# There are more than thirty methods, and a net has many layers. This notebook tries some on images whose objects
# are known, and measures two things: does the map lie on the object, and does the score depend on what the map
# marks?
#
# The first cell only keeps TensorFlow from printing its log.

# %%
import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore", category=FutureWarning)

# %%
import numpy as np

from gradcam_tf1 import GradCamGraph, read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes

net = GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES)
scene = demo_scenes()[4]
print(scene.boxes)  # top, left, bottom, right

# %% [markdown]
# ## The layer
#
# `net.binding.layers` lists the feature maps from the input to the scores. Those that count for `-1`, `-2`, ... come
# after their activation.

# %%
layers = [layer.name for layer in net.binding.layers if layer.counted]
by_layer = net.explain(scene.path, targets="ring", layers=layers)
for map in by_layer:
    print(f"{map.layer:14} {map.values.shape[0]:3} x {map.values.shape[1]:3} cells")

# %%
by_layer.show()

# %% [markdown]
# Early layers see edges, whatever they belong to. Late layers see objects, with fewer cells. To put a number on
# it: which share of the map lies inside the box of the object, on average over all scenes?

# %%
scenes = demo_scenes()
images = [each.path for each in scenes]
kinds = [sorted(each.boxes)[:2] for each in scenes]  # two objects of each scene


def inside(map):
    """Return the share of a map, without its negative values, in the box of its object."""
    heat = np.maximum(map.placed(), 0)
    heat = heat if heat.ndim == 2 else heat.sum(axis=2)
    top, left, bottom, right = scenes[map.n].boxes[map.label]
    return heat[top:bottom, left:right].sum() / max(heat.sum(), 1e-9)


explanation = net.explain(images, kinds, layers=layers)
shares = explanation.to_dataframe()[["layer", "label"]]
shares["inside"] = [inside(map) for map in explanation]
shares.groupby("layer")["inside"].mean().round(2)

# %% [markdown]
# **Start with the last layer** (the default). If its cells are too coarse for your objects, go back one or two
# layers, and take a method that is made for it, such as `layercam`:

# %%
net.explain(scene.path, targets="ring", methods="layercam", layers=[-4, -3, -2, -1]).show()

# %% [markdown]
# Compare with the figure above: Grad-CAM takes one weight per channel, which says little in early layers.
# LayerCAM weighs each position on its own, and finds the ring even there.

# %% [markdown]
# ## The method
#
# Some usual ones, by what they answer:
#
# | question | method | cost per image |
# |---|---|---|
# | which region supports the class? | `gradcam`, `layercam` | one pass |
# | which edges and pixels? | `guided_gradcam` | two to four passes |
# | how much does each pixel add to the score? | `integrated_gradients` | 50 passes |
# | what does the score lose without a region? | `occlusion` | one pass per hidden window |

# %%
methods = ["gradcam", "layercam", "guided_gradcam", "integrated_gradients", "occlusion"]
compared = net.explain(scene.path, targets="ring", methods=methods)
compared.show()

# %% [markdown]
# The gray images are maps of pixels with a sign: gray is zero, and what differs from it adds to the score or
# takes from it.
#
# ## Does the score depend on what the map marks?
#
# Hide the fiftieth of the image where the map is highest, and ask the net again. The more the score falls, the
# better the map has found what the net uses. To compare, hide as many random pixels.


# %%
def score_without(image, heat, target):
    """Return the score after the highest 2 % of a map were replaced by the mean colour."""
    changed = image.copy()
    changed[heat >= np.quantile(heat, 0.98)] = image.mean(axis=(0, 1))
    return float(net.explain(changed, targets=target).scores[0, 0])


falls = {name: [] for name in [*methods, "random pixels"]}
for path, (kind, _) in zip(images[:6], kinds):
    original = read_image(path)
    tried = net.explain(path, targets=kind, methods=methods)
    heats = {map.method: map.placed() for map in tried}
    heats["random pixels"] = np.random.RandomState(0).rand(*original.shape[:2])
    for name, heat in heats.items():
        flat = heat if heat.ndim == 2 else np.abs(heat).sum(axis=2)
        falls[name].append(tried.scores[0, 0] - score_without(original, flat, kind))
for name, values in falls.items():
    print(f"{name:22} the score falls by {np.mean(values):5.1f}")

# %% [markdown]
# Random pixels hardly matter; what the maps mark does. `occlusion` finds by trial what the score depends on, so
# it wins this test, at many times the cost. Run such a test over your own images before you trust a method.
#
# ## What separates two classes?
#
# A class that is always among the best is often explained by what it shares with its neighbours. `Contrast`
# explains the difference of two scores:

# %%
from gradcam_tf1 import Contrast

net.explain(scene.path, targets=["ring", Contrast("ring", "square"), Contrast("square", "ring")]).show()

# %%
net.close()

# %% [markdown]
# ## In short
#
# 1. Begin with `gradcam` at the default layer.
# 2. Too coarse: `layercam` one or two layers earlier.
# 3. Details: `guided_gradcam`; amounts: `integrated_gradients`.
# 4. In doubt: `occlusion`. It uses no gradient, only scores.
# 5. Check with images whose answer you know, and with the score after hiding what the map marks.
