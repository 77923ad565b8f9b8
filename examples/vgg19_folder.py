"""VGG-19 with your own weights file (vgg19.npy, .npz, TF-Slim .ckpt, Keras .h5 or torchvision .pth) over a folder.

python examples/vgg19_folder.py WEIGHTS PHOTOS [OUT]
"""

from __future__ import annotations

import sys

from gradcam_tf1 import GradCamGraph, Results
from gradcam_tf1.nets.vgg import vgg_model


def main(weights: str, photos: str, out: str = "out/vgg19") -> Results:
    model = vgg_model("vgg19", weights, fully_convolutional=True)  # images of any size, scores averaged over positions
    with GradCamGraph(model, fit="short-side") as net:  # the model has its layer and preset
        results = net.visualize_imgs(photos, out, methods=["gradcam", "guided_gradcam"])
    for result in results:
        print(result.relative, result.predicted if result.ok else result.error)
    return results


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
