"""From RGB values 0..255 to the values a net was trained on; sizes belong to geometry. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError

# ITU-R BT.601, what cv2.COLOR_RGB2GRAY, Pillow's "L" and tf.image.rgb_to_grayscale use (the last with rounded weights).
LUMINANCE = (0.299, 0.587, 0.114)
GRAYS: Dict[str, Tuple[float, float, float]] = {"luminance": LUMINANCE, "mean": (1 / 3, 1 / 3, 1 / 3)}


@dataclass(frozen=True)
class Preprocessing:
    """(x * scale - mean) / std, after the channels were put in `order` or mixed to one `gray` channel.

    mean, std: one value, or one per channel in the net's own order (caffe's means are blue first), of as many channels
        as they are: values alone suit a net of any number.
    order: "rgb" or "bgr". gray: None, "luminance" (0.299 R + 0.587 G + 0.114 B) or "mean".
    """

    description: str
    scale: float = 1.0
    mean: Tuple[float, ...] = (0.0,)
    std: Tuple[float, ...] = (1.0,)
    order: str = "rgb"
    gray: Optional[str] = None

    def __post_init__(self) -> None:
        if self.order not in ("rgb", "bgr"):
            raise OptionError(f"unknown channel order {self.order!r}; possible: rgb, bgr")
        if self.gray is not None and self.gray not in GRAYS:
            raise OptionError(f"unknown gray {self.gray!r}; possible: {', '.join(GRAYS)}")
        for name, values in (("scale", (self.scale,)), ("mean", self.mean), ("std", self.std)):
            most = 1 if name == "scale" or self.gray else 3 if self.order == "bgr" else self.channels
            if len(values) not in (1, most):
                raise OptionError(
                    f"{name} needs {' or '.join(sorted({'1', str(most)}))} values, got {len(values)}: {values}"
                )
            if not np.all(np.isfinite(values)) or (name != "mean" and 0 in values):
                raise OptionError(f"{name} must be finite{'' if name == 'mean' else ' and not 0'}, got {values}")

    @property
    def channels(self) -> int:
        """How many channels come out of an image in RGB: 1 or 3; or as many as there are values of mean or std."""
        longest = max(len(self.mean), len(self.std))
        return 1 if self.gray is not None else longest if longest > 1 else 3

    @property
    def is_identity(self) -> bool:
        """Whether values stay as they are."""
        return self.gray is None and self.scale == 1 and not any(self.mean) and set(self.std) == {1.0}

    @property
    def is_of_bands(self) -> bool:
        """Whether it has values for each of other than 1 and 3 channels: then they are those of the images."""
        return self.channels not in (1, 3)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """float32 [N, H, W, 3] RGB 0..255, or bands -> float32 [N, H, W, channels]; the input stays as it is."""
        images = np.asarray(images, np.float32)
        taken = 3 if self._of_colours else images.shape[-1] if self._of_any else self.channels
        if images.ndim != 4 or images.shape[3] != taken:
            kind = "RGB images [N, H, W, 3]" if taken == 3 else f"images [N, H, W, {taken}]"
            raise OptionError(f"preprocessing takes {kind}, got shape {list(images.shape)}")
        if self.gray is not None:
            images = images @ np.array(GRAYS[self.gray], np.float32)[:, np.newaxis]
        elif self.order == "bgr":
            images = images[..., ::-1]
        mean, std = np.array(self.mean, np.float64), np.array(self.std, np.float64)
        values = np.multiply(images, (self.scale / std).astype(np.float32), order="C")
        values -= (mean / std).astype(np.float32)
        return values

    @property
    def _of_colours(self) -> bool:
        """Whether it turns or mixes red, green and blue."""
        return self.gray is not None or self.order == "bgr"

    @property
    def _of_any(self) -> bool:
        """Whether it treats all channels alike, however many they are."""
        return not self._of_colours and len(self.mean) == len(self.std) == 1

    @property
    def _values(self) -> Tuple[Any, ...]:
        return self.scale, self.mean, self.std

    def check_channels(self, channels: int) -> None:
        """Raise OptionError where the net's input has another number of channels than come out here."""
        if channels == self.channels or (self._of_any and channels not in (1, 3)):
            return
        fitting = [name for name, preset in PRESETS.items() if channels in (1, 3) and preset.channels == channels]
        alike = [name for name in fitting if self._values == PRESETS[name]._values and PRESETS[name].order == "rgb"]
        own = "own values of as many channels, --mean and --std, or a preset without any: zero-one, raw, inception"
        what = f"presets for it: {', '.join(fitting)}" if fitting else f"give {own}; or override preprocess()"
        what = f"use the preset {alike[0]}, which makes the same values; {what}" if alike else what
        raise OptionError(
            f"the net's input has {channels} channels, but this preprocessing makes {self.channels} "
            f"({self.description}); {what}"
        )


PRESETS: Dict[str, Preprocessing] = {
    "inception": Preprocessing("x/127.5 - 1, RGB: Inception, MobileNet, NASNet, most TF-Slim nets", 1 / 127.5, (1.0,)),
    "torch": Preprocessing(
        "x/255, minus the ImageNet mean, by its standard deviation, RGB: nets from PyTorch, DenseNet",
        1 / 255,
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
    ),
    "caffe": Preprocessing(
        "x minus the ImageNet mean (103.939, 116.779, 123.68), BGR: VGG, ResNet v1 from Caffe",
        mean=(103.939, 116.779, 123.68),
        order="bgr",
    ),
    "zero-one": Preprocessing("x/255, RGB", 1 / 255),
    "raw": Preprocessing("x as it is, 0..255, RGB: nets that normalise in the graph"),
    "zero-one-bgr": Preprocessing("x/255, BGR", 1 / 255, order="bgr"),
    "raw-bgr": Preprocessing("x as it is, 0..255, BGR", order="bgr"),
    "gray-inception": Preprocessing("luminance/127.5 - 1, one channel", 1 / 127.5, (1.0,), gray="luminance"),
    "gray-zero-one": Preprocessing("luminance/255, one channel", 1 / 255, gray="luminance"),
    "gray-raw": Preprocessing("luminance 0..255, one channel", gray="luminance"),
    "gray-mean-zero-one": Preprocessing("mean of R, G, B / 255, one channel", 1 / 255, gray="mean"),
    "gray-mean-raw": Preprocessing("mean of R, G, B, 0..255, one channel", gray="mean"),
}


def find_preset(
    name: str,
    mean: Optional[Sequence[float]] = None,
    std: Optional[Sequence[float]] = None,
    scale: Optional[float] = None,
    bgr: bool = False,
) -> Preprocessing:
    """A preset by name, with own values where the preset sets none; "custom" is "raw" to start from.

    (x * scale - mean) / std, mean and std in the net's channel order. Raises OptionError for an unknown name (listing
    all of them) and for a value that the preset already sets.
    """
    if name not in PRESETS and name != "custom":
        raise OptionError(f"unknown preprocessing {name!r}; possible:\n{list_presets()}")
    preset = PRESETS["raw" if name == "custom" else name]
    own = {key: tuple(map(float, values)) for key, values in (("mean", mean), ("std", std)) if values is not None}
    changes: Dict[str, Any] = dict(own)
    if scale is not None:
        changes["scale"] = float(scale)
    if bgr:
        changes["order"] = "bgr"
    if name == "custom" and not changes:
        raise OptionError("preprocessing 'custom' needs at least one of mean, std, scale, bgr")
    plain = Preprocessing("")
    for key, value in changes.items():
        if getattr(preset, key) not in (getattr(plain, key), value):
            raise OptionError(f"preset {name!r} already sets {key}; use 'custom' to set everything yourself")
    if bgr and preset.gray:
        raise OptionError(f"preset {name!r} makes one gray channel, BGR has no meaning there")
    if not changes:
        return preset
    told = ", ".join(f"{key} {value}" for key, value in changes.items())
    return replace(preset, description=f"{name} with {told}", **changes)


def as_preprocessing(preset: Any) -> Optional[Preprocessing]:
    """A Preprocessing as it is, or the preset of a name; None stays None. Raises: OptionError for anything else."""
    if preset is None or isinstance(preset, Preprocessing):
        return preset
    if not isinstance(preset, str):
        raise OptionError(f"preset is {preset!r}; give a Preprocessing, or a name:\n{list_presets()}")
    return find_preset(preset)


def list_presets() -> str:
    """One line for each preset: name and meaning, for the command line."""
    rows = {name: preset.description for name, preset in PRESETS.items()}
    rows["custom"] = "(x * scale - mean) / std with your own values"
    return "\n".join(f"  {name:<20}{meaning}" for name, meaning in rows.items())
