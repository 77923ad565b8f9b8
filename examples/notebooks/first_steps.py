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
# # First steps
#
# A net says *star*. Where in the image did it see the star? This notebook shows it with a small net that comes
# with gradcam_tf1, so nothing is downloaded. At the end, the same for your own model.
#
# The first cell only keeps TensorFlow from printing its log.

# %%
import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore", category=FutureWarning)

# %% [markdown]
# ## Open a net
#
# The demo net knows seven kinds of objects. It gets images with several of them, and gives each kind a score of
# its own.

# %%
from gradcam_tf1 import GradCamGraph
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes

net = GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES)
print("classes:", ", ".join(DEMO_CLASSES))

# %% [markdown]
# `preset` says which pixel values the net was trained on. It is never guessed, because a wrong range gives maps that
# look right and are wrong.
#
# The tensors are found. Each choice has a reason:

# %%
for name in ("input", "logits", "layer"):
    print(f"{name:7} {getattr(net.binding, name):18} {net.binding.reasons[name]}")

# %% [markdown]
# ## Explain an image
#
# Without further options, `explain` takes the class with the highest score, the method Grad-CAM and the last
# feature map.

# %%
image = demo_scenes()[8].path
net.explain(image)

# %% [markdown]
# The net says *cross*, and the warm colours are on the cross. What about other classes? `targets` takes names or
# numbers:

# %%
explanation = net.explain(image, targets=["cross", "ring", "crescent", "heart"])
explanation.show()

# %% [markdown]
# One image, four maps on one scale. Read the score first: it is below zero for *heart*, of which there is none in
# the image. Its map is faint, and shows only where the image resembles a heart most. **A map does not say whether
# the net is right; the score does not say where it looked.**

# %% [markdown]
# ## The numbers
#
# Iterating gives the maps one by one:

# %%
for map in explanation:
    print(f"{map.label:9} score {map.score:6.2f}  probability {map.probability:4.0%}  {map.status}")

# %%
map = explanation.map("gradcam", t=1)  # target 1 is the ring
print("at the layer:", map.values.shape, " on the image:", map.placed().shape, " drawn:", map.overlay().shape)

# %% [markdown]
# If you have pandas, `to_dataframe` gives a table:

# %%
explanation.to_dataframe()[["label", "score", "probability", "minimum", "maximum", "status"]].round(2)

# %% [markdown]
# ## Empty maps say why
#
# A map that is zero everywhere is no answer. It is never drawn as one, and its `reason` says what happened. A
# plain gray image has no star:

# %%
import numpy as np

net.explain(np.full((96, 128, 3), 127, np.uint8), targets="star")

# %% [markdown]
# ## A folder of images
#
# `visualize_imgs` explains every image of a folder and writes overlays, heat maps and a manifest with all numbers. A
# damaged image is reported, and the run goes on.

# %%
from gradcam_tf1 import ProgressBar, RunOptions

folder = os.path.dirname(image)
with ProgressBar() as bar:
    results = net.visualize_imgs(folder, "first_steps_out", methods="gradcam", run=RunOptions(progress=bar))
results[:4]

# %% [markdown]
# How often does each class win?

# %%
results.to_dataframe()["label"].value_counts()

# %% [markdown]
# ## Keep an explanation
#
# `save` writes everything to one file of plain numbers; `load` reads it back, also where there is no TensorFlow model.

# %%
from gradcam_tf1 import Explanation

explanation.save("crosses.npz")
again = Explanation.load("crosses.npz")
print(again)
print("bit for bit the same:", (again["gradcam"] == explanation["gradcam"]).all())

# %%
net.close()

# %% [markdown]
# ## Your own model
#
# ```python
# with GradCamGraph("model.pb", preset="inception", labels="labels.txt") as net:
#     net.explain("photo.jpg").show()
# ```
#
# - `gradcam-tf1 inspect model.pb` prints what was found in a model, and why.
# - The page *Preprocessing* of the documentation lists the presets.
# - The next notebook, *Choosing a layer and a method*, goes on from here.
