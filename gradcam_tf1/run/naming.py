"""Names of the files that are written: deterministic, never two alike, never outside the output folder.

    source:   birds/owl.jpg.c24-great-grey-owl.gradcam.png              (mirrors the folders of the images)
              birds/owl.jpg.c24-great-grey-owl.gradcam.heatmap.png
              birds/owl.jpg.c24-great-grey-owl.gradcam.l1-conv5_4-Relu.png   (only where several layers were asked for)
    indexed:  gradcam_0_class_great-grey-owl.png
              oim_0.png                                                 (the image itself, as it was read)

A name is a stem, which belongs to one image alone, and an ending. No dot is inside a token of the ending and no token
can be taken for its neighbour, so two names are alike only where image, class, method, layer and kind all are.
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

# What is drawn first has no kind in its name; the others say what they are.
_ENDINGS = {"overlay": ".png", "pixels": ".png", "heatmap": ".heatmap.png", "raw": ".npz"}

_STEM_BYTES = 120  # leaves room for the longest ending under the 255 bytes that file systems allow
_SLUG_BYTES = 40
_MOST_FOLDERS = 100  # deeper ones have a hash for a name: a path ends at 4096 bytes, and the output folder comes first
_FOLDERS_BYTES = 1500
_UNSAFE = frozenset('<>:"/\\|?*')
_INVISIBLE = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])  # control, format, lone surrogate, line and paragraph separators
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # Windows has no files of these names
_OUTPUT = re.compile(r"\.(png|npz|jsonl?|html|csv)$", re.IGNORECASE)


def check_naming(naming: str) -> None:
    """Raises: OptionError for an unknown naming."""
    if naming not in NAMINGS:
        raise OptionError(f"no naming {naming!r}; possible: {', '.join(NAMINGS)}")


class Namer:
    """Gives every file of one run its name.

    naming: "source" or "indexed". Images must be given in the order of the listing: where two stems
    would be alike, the later one gets "~2".
    Raises: OptionError for an unknown naming.
    """

    def __init__(self, naming: str = "source") -> None:
        check_naming(naming)
        self.naming = naming
        self._untaken = _Untaken()

    def stem(self, relative: str, index: int) -> str:
        """The part of the names that belongs to one image: relative path, "/" between folders."""
        if self.naming == "indexed":
            return str(index)
        *folders, name = [part for part in re.split(r"[/\\]" if os.sep == "\\" else "/", relative) if part] or [""]
        safe = [_folder(folder) for folder in folders]
        if len(folders) > _MOST_FOLDERS or len("/".join(safe).encode("utf-8", "surrogatepass")) > _FOLDERS_BYTES:
            safe = [hashlib.sha256("/".join(folders).encode("utf-8", "surrogatepass")).hexdigest()[:16]]
        return self._untaken("/".join([*safe, _component(name)]))

    def targets(
        self, class_ids: Sequence[int], labels: Sequence[Optional[str]], abouts: Optional[Sequence[str]] = None
    ) -> List[str]:
        """One token for each target of one image, no two alike. abouts: what each is beyond a class, "" for none."""
        slugs = [slug(label or "") for label in labels]
        extras = [slug(about) for about in abouts or [""] * len(slugs)]
        untaken = _Untaken()
        if self.naming == "source":
            return [untaken(_source_token(*parts)) for parts in zip(class_ids, slugs, extras)]
        slugs = ["-".join(filter(None, parts)) for parts in zip(slugs, extras)]
        shared = {text for text in slugs if slugs.count(text) > 1}  # ImageNet has two classes called "crane"
        tokens = [f"{text}-{id_}" if text in shared else text or str(id_) for id_, text in zip(class_ids, slugs)]
        return [untaken(token.lstrip("-")) for token in tokens]

    def figure(self, stem: str, kind: str) -> str:
        """The name of a figure of one image. No target's token is "figure", and no method's name has a hyphen."""
        return f"{stem}.figure.{kind}.png" if self.naming == "source" else f"figure_{stem}_{kind}.png"

    def original(self, stem: str) -> str:
        """The name of a copy of the image itself; "" where none is written."""
        return f"oim_{stem}.png" if self.naming == "indexed" else ""

    def names(self, stem: str, target: str, method: str, layer: str, kinds: Sequence[str]) -> dict[str, str]:
        """Kind -> name for the files of one map, "/" between folders. layer: its token, "" where none is needed."""
        tokens = f"{stem}.{target}.{method}" if self.naming == "source" else f"{method}_{stem}_class_{target}"
        return {kind: tokens + layer + _ENDINGS[kind] for kind in kinds}


def _source_token(class_id: int, label: str, extra: str) -> str:
    return "-".join(filter(None, [f"c{class_id}" if class_id >= 0 else "", label, extra])) or "target"


def layer_tokens(layers: Sequence[str]) -> dict[str, str]:
    """Layer tensor, or "fused", -> its part of a file name; a layer's says something only if several were asked for."""
    several = len(layers) > 1
    tokens = {name: f".l{place}-{slug(name)}" if several else "" for place, name in enumerate(layers, 1)}
    return {"": "", "fused": ".fused", **tokens}


def slug(text: str) -> str:
    """Letters, digits, "_" and "-" of any text, of at most 40 bytes: fit for a file name, without dots."""
    words = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", text)).strip("-")
    return _cut(words, _SLUG_BYTES).strip("-")


def _component(name: str) -> str:
    """One file or folder name that every platform can have; what it cannot have is written as %XX."""
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


def _folder(name: str) -> str:
    """A folder's name, told from the files that are written beside it."""
    safe = _component(name)
    return safe + "_" if _OUTPUT.search(safe) else safe


def _escaped(char: str) -> str:
    undecodable = "\udc80" <= char <= "\udcff"  # a byte that is not UTF-8, as os.fsdecode writes it
    raw = bytes([ord(char) - 0xDC00]) if undecodable else char.encode("utf-8", "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in raw)


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore")


class _Untaken:
    """Gives each name once: the name, or the first of name~2, name~3... that is not yet taken.

    Case and the form of accents do not count. Of a name that never met another only a hash is kept.
    """

    def __init__(self) -> None:
        self._taken = Seen()
        self._last: Dict[str, int] = {}  # what the last of several of one name was numbered

    def __call__(self, name: str) -> str:
        key = _key(name)
        if self._taken.add(key):
            return name
        number = self._last.get(key, 1) + 1
        while not self._taken.add(_key(f"{name}~{number}")):
            number += 1
        self._last[key] = number
        return f"{name}~{number}"


def _key(name: str) -> str:
    """Equal for names that a file system may take for one (Unicode's canonical caseless matching)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
