"""Names of written files: deterministic, unique, and always inside the output folder.

    source:   birds/owl.jpg.c24-great-grey-owl.gradcam.png              (mirrors the folders of the images)
              birds/owl.jpg.c24-great-grey-owl.gradcam.heatmap.png
              birds/owl.jpg.c24-great-grey-owl.gradcam.l1-conv5_4-Relu.png   (only for several requested layers)
    indexed:  gradcam_0_class_great-grey-owl.png
              oim_0.png                                                 (the image itself, as read)

A name is a stem, unique per image, and an ending. Tokens of the ending contain no dot and cannot be confused with each
other, so two names are equal only if image, class, method, layer and kind are.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from typing import Dict, List, Optional, Sequence

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.file_names import Seen

NAMINGS = ("source", "indexed")

# overlays and pixel maps have no kind in their name
_ENDINGS = {"heatmap": ".heatmap.png", "raw": ".npz"}

_STEM_BYTES = 120  # leaves room for the longest ending under the 255 bytes that file systems allow
_SLUG_BYTES = 40
_MAX_FOLDERS = 100  # deeper paths are replaced by a hash, since a path has at most 4096 bytes
_FOLDERS_BYTES = 1500
_UNSAFE = frozenset('<>:"/\\|?*')
_INVISIBLE = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])  # control, format, lone surrogate, line and paragraph separators
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # names that Windows reserves
_OUTPUTS = r"\.(png|npz|jsonl?|html|csv)"


def check_naming(naming: str) -> None:
    """Raise OptionError for an unknown naming."""
    if naming not in NAMINGS:
        raise OptionError(f"no naming {naming!r}; possible: {', '.join(NAMINGS)}")


class Namer:
    """Names every file of one run.

    Call `stem` in the order of the listing: if two stems would be equal, the later one gets "~2".

    Parameters
    ----------
    naming : {"source", "indexed"}
        Name files after the image, or after its number.
    drawn : str
        Ending of the files of overlays and pixel maps.

    Raises
    ------
    OptionError
        If the naming is unknown.
    """

    def __init__(self, naming: str = "source", drawn: str = ".png") -> None:
        check_naming(naming)
        self.naming = naming
        self._output = re.compile(f"({_OUTPUTS}|{re.escape(drawn)})$", re.IGNORECASE)
        self._unique_stem = UniqueNames()

    def stem(self, relative: str, index: int) -> str:
        """Return the part of the names that is unique per image: a relative path with "/" between folders."""
        if self.naming == "indexed":
            return str(index)
        *folders, name = [part for part in re.split(r"[/\\]" if os.sep == "\\" else "/", relative) if part] or [""]
        safe = [self._folder(folder) for folder in folders]
        if len(folders) > _MAX_FOLDERS or len("/".join(safe).encode("utf-8", "surrogatepass")) > _FOLDERS_BYTES:
            safe = [hashlib.sha256("/".join(folders).encode("utf-8", "surrogatepass")).hexdigest()[:16]]
        return self._unique_stem("/".join([*safe, _component(name)]))

    def targets(
        self, class_ids: Sequence[int], labels: Sequence[Optional[str]], abouts: Optional[Sequence[str]] = None
    ) -> List[str]:
        """Return a unique token for each target of an image.

        Parameters
        ----------
        class_ids, labels : sequence
            Class id and label of each target; None for no label.
        abouts : sequence of str or None
            What each target is besides a class, "" for a plain class.
        """
        slugs = [slug(label or "") for label in labels]
        extras = [slug(about) for about in abouts or [""] * len(slugs)]
        unique = UniqueNames()
        if self.naming == "source":
            return [unique(_source_token(*parts)) for parts in zip(class_ids, slugs, extras)]
        slugs = ["-".join(filter(None, parts)) for parts in zip(slugs, extras)]
        shared = {text for text in slugs if slugs.count(text) > 1}  # ImageNet has two classes called "crane"
        tokens = [f"{text}-{id_}" if text in shared else text or str(id_) for id_, text in zip(class_ids, slugs)]
        return [unique(token.lstrip("-")) for token in tokens]

    def figure(self, stem: str, kind: str) -> str:
        """Return the name of a figure. No target token is "figure", and no method name has a hyphen."""
        return f"{stem}.figure.{kind}.png" if self.naming == "source" else f"figure_{stem}_{kind}.png"

    def original(self, stem: str) -> str:
        """Return the name of a copy of the image itself; "" if none is written."""
        return f"oim_{stem}.png" if self.naming == "indexed" else ""

    def names(
        self, stem: str, target: str, method: str, layer: str, kinds: Sequence[str], drawn: str = ".png"
    ) -> dict[str, str]:
        """Return kind -> name of the files of one map, "/" between folders.

        `layer` is its token, "" for none; `drawn` is the ending of its overlay or pixel map.
        """
        tokens = f"{stem}.{target}.{method}" if self.naming == "source" else f"{method}_{stem}_class_{target}"
        return {kind: tokens + layer + _ENDINGS.get(kind, drawn) for kind in kinds}

    def _folder(self, name: str) -> str:
        """Return a folder name that differs from the files written beside it."""
        safe = _component(name)
        return safe + "_" if self._output.search(safe) else safe


def _source_token(class_id: int, label: str, extra: str) -> str:
    return "-".join(filter(None, [f"c{class_id}" if class_id >= 0 else "", label, extra])) or "target"


def layer_tokens(layers: Sequence[str]) -> dict[str, str]:
    """Return layer tensor or "fused" -> its token in file names; "" for a layer unless several are requested."""
    several = len(layers) > 1
    tokens = {name: f".l{number}-{slug(name)}" if several else "" for number, name in enumerate(layers, 1)}
    return {"": "", "fused": ".fused", **tokens}


def slug(text: str) -> str:
    """Return the letters, digits, "_" and "-" of a text, at most 40 bytes, for a file name."""
    words = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", text)).strip("-")
    return _cut(words, _SLUG_BYTES).strip("-")


def file_token(text: str) -> str:
    """Return the slug of a text as the start of a file name on every platform: Windows has no file con.png."""
    words = slug(text)
    return f"_{words}" if _DEVICES.match(words) else words


def _component(name: str) -> str:
    """Return a file or folder name that is valid on every platform; other characters become %XX."""
    safe = "".join(
        _escaped(char) if char in _UNSAFE or unicodedata.category(char) in _INVISIBLE else char for char in name
    )
    if safe.endswith((".", " ")):
        safe = safe[:-1] + _escaped(safe[-1])
    safe = safe or "_"
    if _DEVICES.match(safe):
        safe = "_" + safe
    if len(safe.encode()) <= _STEM_BYTES:
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_cut(safe, _STEM_BYTES - 9)}~{digest}"


def _escaped(char: str) -> str:
    undecodable = "\udc80" <= char <= "\udcff"  # a byte that is not UTF-8, as in os.fsdecode
    raw = bytes([ord(char) - 0xDC00]) if undecodable else char.encode("utf-8", "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in raw)


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore")


class UniqueNames:
    """Makes names unique.

    Names that differ only in case or the form of accents count as equal. Only a hash of each name is kept.
    """

    def __init__(self) -> None:
        self._used = Seen()
        self._last: Dict[str, int] = {}  # last number of each repeated name

    def __call__(self, name: str) -> str:
        """Return the name, or the first unused of name~2, name~3, ..."""
        key = _key(name)
        if self._used.add(key):
            return name
        number = self._last.get(key, 1) + 1
        while not self._used.add(_key(f"{name}~{number}")):
            number += 1
        self._last[key] = number
        return f"{name}~{number}"


def _key(name: str) -> str:
    """Return a key that is equal for names that a file system may treat as one (canonical caseless matching)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
