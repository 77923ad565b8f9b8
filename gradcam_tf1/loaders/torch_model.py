"""Load torch models: trusted files, and modules of a running program, are exported to ONNX and come in as that.

A file of torch.save(model) names classes and calls that run when it is opened; so it needs `trust_model`. A file of
weights alone has no net in it. Which of them a file is, its pickle's opcodes say without being run.
"""

from __future__ import annotations

import os
import pickletools
import zipfile
from typing import IO, Any, Dict, Iterator, List, NamedTuple, Tuple

from gradcam_tf1.errors import ModelFileError, OptionError
from gradcam_tf1.graphdef.private_files import copy_file, private_folder
from gradcam_tf1.loaders.converter_process import convert_apart
from gradcam_tf1.loaders.onnx_model import Sides, check_packages, converted
from gradcam_tf1.types import LoadedModel

_PACKAGES = ("torch", "onnx2tf", "onnxruntime")
_EXAMPLE = "3,224,224"
# Modules whose names a file of weights, and of a training program's counters, has.
_OF_WEIGHTS = (
    *("collections", "torch", "torch._utils", "torch._tensor", "torch.storage", "torch.nn.parameter", "numpy"),
    *("numpy.core.multiarray", "numpy._core.multiarray", "_codecs", "builtins", "__builtin__", "argparse"),
)
_LEGACY_PICKLES = 4  # magic number, version, system, content


class TorchContent(NamedTuple):
    """What the opcodes of a file's pickle name.

    Attributes
    ----------
    form : str
        "pickle" of torch.save, "script" of torch.jit.save, "program" of torch.export.save.
    classes : list of str
        Names other than those of tensors and containers; empty if the file holds weights alone.
    names : list of str
        The first names of its tensors.
    """

    form: str
    classes: List[str]
    names: List[str]


def load_torch_file(path: str, sides: Sides, trusted: bool) -> LoadedModel:
    """Load a frozen graph from a trusted file of torch.save, torch.jit.save or torch.export.save.

    Parameters
    ----------
    path : str
        The file.
    sides : tuple of int or None
        Sides of one input without the batch, (3, 224, 224); a file does not state them.
    trusted : bool
        Run the code that the file names.

    Returns
    -------
    LoadedModel
        The frozen graph.

    Raises
    ------
    ModelFileError
        If the file holds weights alone, is not trusted, damaged, or cannot be exported or converted.
    """
    content = read_content(path)
    if content.form == "pickle" and not content.classes:
        raise _weights_alone(path, content)
    shape = ",".join(map(str, sides or ())) or _EXAMPLE
    if not trusted:
        raise ModelFileError(
            f"{path} is a whole torch model ({_listed(content.classes) or content.form}), and opening it runs code "
            f"that it names; if you trust its author, load it with --trust-model --input-shape {shape}, or "
            f"load(path, trust_model=True, input_shape=({shape.replace(',', ', ')}))"
        )
    if sides is None:
        raise ModelFileError(
            f"{path}: a torch model does not state its input; give the sides of one image, without the batch: "
            f"--input-shape {_EXAMPLE} or input_shape=({_EXAMPLE.replace(',', ', ')})"
        )
    check_packages(path, _PACKAGES, "torch")
    with private_folder() as folder:
        copy_file(path, os.path.join(folder, "model.pt"))
        request = {"form": content.form, "sides": sides}
        # the classes of a trusted model are found as torch.load finds them in a program that runs here
        convert_apart("gradcam_tf1.loaders.torch_worker", request, folder, path, (os.getcwd(),))
        return converted(os.path.join(folder, "exported.onnx"), path, "torch", folder, None)


def is_module(source: Any) -> bool:
    """Whether a source is a torch.nn.Module."""
    return any(
        kind.__module__ == "torch.nn.modules.module" and kind.__name__ == "Module" for kind in type(source).__mro__
    )


def load_module(module: Any, sides: Sides) -> LoadedModel:
    """Load a frozen graph from a live torch.nn.Module, which is not changed.

    Raises
    ------
    OptionError
        If `input_shape` is missing.
    ModelFileError
        If it cannot be exported or converted.
    """
    from gradcam_tf1.loaders.torch_export import export

    name = f"torch {type(module).__name__}"
    if sides is None:
        raise OptionError(
            f"{name}: a torch model does not state its input; give load(net, input_shape=(3, 224, 224)), without "
            "the batch"
        )
    check_packages(name, _PACKAGES, "torch")
    with private_folder() as folder:
        exported = os.path.join(folder, "exported.onnx")
        export(module, sides, exported)
        return converted(exported, name, "torch", folder, None)


def read_content(path: str) -> TorchContent:
    """Read what a file of torch holds, without running it.

    Raises
    ------
    ModelFileError
        If the file is damaged.
    """
    try:
        with open(path, "rb") as stream:
            if not zipfile.is_zipfile(stream):
                stream.seek(0)
                return _names_in([stream] * _LEGACY_PICKLES)
            with zipfile.ZipFile(stream) as archive:
                files = {name.partition("/")[2] for name in archive.namelist()}
                if "constants.pkl" in files and any(name.startswith("code/") for name in files):
                    return TorchContent("script", [], [])
                pickles = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
                if len(pickles) != 1:
                    return TorchContent("program", [], [])
                if archive.getinfo(pickles[0]).compress_type != zipfile.ZIP_STORED:  # it may unpack to any size
                    raise ModelFileError(f"{path}: its {pickles[0]} is compressed, as torch never does; save it again")
                with archive.open(pickles[0]) as pickled:
                    return _names_in([pickled])
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, IndexError) as error:
        raise ModelFileError(f"{path} is damaged: {error}; copy it again, or save it again") from error


def _names_in(streams: List[IO[bytes]]) -> TorchContent:
    classes: Dict[str, None] = {}
    names: List[str] = []
    for kind, text in (found for stream in streams for found in _opcodes(stream)):
        if kind == "class" and text.rpartition(".")[0] not in _OF_WEIGHTS:
            classes[text] = None
        elif kind == "text" and "." in text and len(names) < 3:
            names.append(text)
    return TorchContent("pickle", list(classes), names)


def _opcodes(stream: IO[bytes]) -> Iterator[Tuple[str, str]]:
    """Yield the classes and texts of one pickle; the opcodes are read, not run."""
    texts: List[str] = []
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name == "GLOBAL":
            yield "class", str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL":
            yield "class", ".".join(texts[-2:])
        elif isinstance(argument, str) and "UNICODE" in opcode.name:
            texts.append(argument)
            yield "text", argument


def _listed(names: List[str]) -> str:
    own = [name for name in names if not name.startswith(("torch.", "__builtin__.", "builtins."))] or names
    return ", ".join(own[:3]) + (", ..." if len(own) > 3 else "")


def _weights_alone(path: str, content: TorchContent) -> ModelFileError:
    found = f" (found: {', '.join(content.names)}, ...)" if content.names else ""
    return ModelFileError(
        f"{path} holds weights alone, without the net{found}; build the net in Python, load_state_dict, and write "
        "torch.save(net, 'net.pth') or torch.onnx.export, or give the module itself: GradCamGraph(load(net, "
        "input_shape=(3, 224, 224))); the weights of a VGG go with their net: gradcam-tf1 run vgg16 --weights "
        f"{path}"
    )
