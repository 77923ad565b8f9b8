"""Convert RGB values 0..255 to the values that a net was trained on. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError

# ITU-R BT.601, as in cv2.COLOR_RGB2GRAY, Pillow's "L" and tf.image.rgb_to_grayscale (which rounds the weights).
LUMINANCE = (0.299, 0.587, 0.114)
GRAYS: Dict[str, Tuple[float, float, float]] = {"luminance": LUMINANCE, "mean": (1 / 3, 1 / 3, 1 / 3)}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _backwards(images: np.ndarray) -> np.ndarray:
    """Return a copy with the channels in reverse; a channel at a time, which is faster than pixel by pixel."""
    copy = np.empty(images.shape, images.dtype)
    for channel in range(images.shape[-1]):
        copy[..., channel] = images[..., -1 - channel]
    return copy


def _along_row(values: np.ndarray, width: int) -> np.ndarray:
    """Repeat the values of the channels for every pixel of a row; one value serves all."""
    return values if values.size == 1 else np.tile(values, width)


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of a net: (x * scale - mean) / std, with the channels in `order` or mixed to one `gray` channel.

    Attributes
    ----------
    description : str
        What it does, for messages and the command line.
    scale : float
        Factor of the values 0..255; finite and not 0.
    mean, std : tuple of float
        One value, which suits any number of channels, or one value per channel in the net's order (caffe's means have
        blue first). `std` is not 0.
    order : {"rgb", "bgr"}
        Order of the channels at the net's input.
    gray : {None, "luminance", "mean"}
        Mix the channels to one: 0.299 R + 0.587 G + 0.114 B, or (R + G + B) / 3.

    Raises
    ------
    OptionError
        If a field has a wrong type or value. The message says what is possible.
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
        if self.gray is not None and self.gray not in tuple(GRAYS):
            raise OptionError(f"unknown gray {self.gray!r}; possible: {', '.join(GRAYS)}")
        if not _is_number(self.scale):
            raise OptionError(f"scale must be a number, got {self.scale!r}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if not isinstance(values, (tuple, list, np.ndarray)) or not all(map(_is_number, values)):
                raise OptionError(f"{name} must be a tuple of numbers, such as (1.0,), got {values!r}")
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
        """Number of channels of the result for an RGB image: 1 or 3, or the number of values of mean or std."""
        longest = max(len(self.mean), len(self.std))
        return 1 if self.gray is not None else longest if longest > 1 else 3

    @property
    def is_identity(self) -> bool:
        """Whether the values stay unchanged (their order may change)."""
        return bool(self.gray is None and self.scale == 1 and not any(self.mean) and set(self.std) == {1.0})

    @property
    def is_of_bands(self) -> bool:
        """Whether mean or std has one value for each band of images with other than 1 or 3 channels."""
        return self.channels not in (1, 3)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Preprocess a batch of images.

        Parameters
        ----------
        images : np.ndarray
            uint8 or float [N, H, W, 3], RGB, 0..255, or [N, H, W, bands]. It is not changed.

        Returns
        -------
        np.ndarray
            float32 [N, H, W, channels], in the net's channel order.

        Raises
        ------
        OptionError
            If the shape does not fit.
        """
        images = np.asarray(images, np.float32)
        taken = 3 if self._of_colours else images.shape[-1] if self._of_any else self.channels
        if images.ndim != 4 or images.shape[3] != taken:
            kind = "RGB images [N, H, W, 3]" if taken == 3 else f"images [N, H, W, {taken}]"
            raise OptionError(f"preprocessing takes {kind}, got shape {list(images.shape)}")
        if self.gray is not None:
            images = images @ np.array(GRAYS[self.gray], np.float32)[:, np.newaxis]
        elif self.order == "bgr":
            images = _backwards(images)
        count, height, width, channels = images.shape
        mean, std = np.array(self.mean, np.float64), np.array(self.std, np.float64)
        # by whole rows: numpy takes ten times longer to apply three numbers to each pixel
        rows = images.reshape(count, height, width * channels)
        values = np.multiply(rows, _along_row((self.scale / std).astype(np.float32), width), order="C")
        values -= _along_row((mean / std).astype(np.float32), width)
        batch: np.ndarray = values.reshape(images.shape)
        return batch

    @property
    def _of_colours(self) -> bool:
        """Whether it reorders or mixes red, green and blue."""
        return self.gray is not None or self.order == "bgr"

    @property
    def _of_any(self) -> bool:
        """Whether it treats all channels alike and suits any number of them."""
        return not self._of_colours and len(self.mean) == len(self.std) == 1

    @property
    def _values(self) -> Tuple[Any, ...]:
        return self.scale, self.mean, self.std

    def check_channels(self, channels: int) -> None:
        """Raise OptionError unless the result suits a net's input with this number of channels."""
        if channels == self.channels or (self._of_any and channels not in (1, 3)):
            return
        fitting = [name for name, preset in PRESETS.items() if channels in (1, 3) and preset.channels == channels]
        alike = [name for name in fitting if self._values == PRESETS[name]._values and PRESETS[name].order == "rgb"]
        own = "own values of as many channels, --mean and --std, or a preset for any number: zero-one, raw, inception"
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
    """Return a preset by name, with own values where the preset sets none.

    The result is (x * scale - mean) / std.

    Parameters
    ----------
    name : str
        A key of PRESETS, or "custom", which starts from "raw".
    mean, std : sequence of float, optional
        One value, or one per channel in the net's channel order.
    scale : float, optional
        Factor of the values 0..255.
    bgr : bool
        Whether the net takes BGR.

    Returns
    -------
    Preprocessing

    Raises
    ------
    OptionError
        If the name is unknown (all are listed), or the preset already sets one of the values.
    """
    if name not in PRESETS and name != "custom":
        raise OptionError(f"unknown preprocessing {name!r}; possible:\n{list_presets()}")
    preset = PRESETS["raw" if name == "custom" else name]
    changes: Dict[str, Any] = {
        key: tuple(map(float, values)) for key, values in (("mean", mean), ("std", std)) if values is not None
    }
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
    summary = ", ".join(f"{key} {value}" for key, value in changes.items())
    return replace(preset, description=f"{name} with {summary}", **changes)


def as_preprocessing(preset: Any) -> Optional[Preprocessing]:
    """Return a Preprocessing unchanged, or the preset of a name, or None for None; else raise OptionError."""
    if preset is None or isinstance(preset, Preprocessing):
        return preset
    if not isinstance(preset, str):
        raise OptionError(f"preset is {preset!r}; give a Preprocessing, or a name:\n{list_presets()}")
    return find_preset(preset)


def list_presets() -> str:
    """Return one line for each preset, name and description, for the command line."""
    rows = {name: preset.description for name, preset in PRESETS.items()}
    rows["custom"] = "(x * scale - mean) / std with your own values"
    return "\n".join(f"  {name:<20}{meaning}" for name, meaning in rows.items())
