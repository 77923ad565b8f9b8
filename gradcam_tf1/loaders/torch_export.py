"""Export a torch.nn.Module to ONNX, and see that onnxruntime computes what torch does."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders.converter_process import reason_of

if TYPE_CHECKING:
    import torch

_OPSET = 17
_WRAPPERS = ("DataParallel", "DistributedDataParallel")
_BATCH = 2  # an exporter may take a batch of one for a constant
TOLERANCE = 1e-4  # largest difference from torch, relative to the largest value


def export(module: torch.nn.Module, sides: Sequence[int], path: str) -> None:
    """Write a module, in inference mode and on the CPU, as ONNX with a batch of any size.

    Parameters
    ----------
    module : torch.nn.Module
        The net; a copy of it is exported.
    sides : sequence of int
        Sides of one input without the batch.
    path : str
        The file to write.

    Raises
    ------
    ModelFileError
        If the net does not run on such an input, cannot be exported, or onnxruntime computes something else.
    """
    import torch

    inner = module.module if type(module).__name__ in _WRAPPERS else module
    net = copy.deepcopy(inner).cpu().float().eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((_BATCH, *sides), generator=generator)
    try:
        with torch.no_grad():
            expected = net(images)
    except Exception as error:  # the net is a stranger's program
        raise ModelFileError(f"the net does not take inputs of {list(images.shape)}: {reason_of(error)}") from error
    _write(net, images, path)
    _check(expected, images.numpy(), path)


def _write(net: torch.nn.Module, images: torch.Tensor, path: str) -> None:
    """Export by tracing, whose ops onnx2tf knows best; what cannot be traced, by torch.export."""
    failures = []
    for exporter in (_traced, _exported):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tracing is deprecated, and each exporter warns of its own limits
                exporter(net, images, path)
        except Exception as error:  # noqa: BLE001 - exporters raise errors of many types; the first is raised below
            failures.append(reason_of(error))
            continue
        return
    raise ModelFileError(f"torch cannot export it to ONNX: {failures[0]}")


def _traced(net: torch.nn.Module, images: torch.Tensor, path: str) -> None:
    import torch

    free = {"images": {0: "batch"}}
    torch.onnx.export(
        net, (images,), path, input_names=["images"], dynamic_axes=free, opset_version=_OPSET, dynamo=False
    )


def _exported(net: torch.nn.Module, images: torch.Tensor, path: str) -> None:
    import torch

    free = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(
        net, (images,), path, input_names=["images"], dynamic_shapes=free, dynamo=True, external_data=False
    )


def _check(expected: Any, images: np.ndarray, path: str) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: images})
    first = expected if hasattr(expected, "numpy") else next(iter(getattr(expected, "values", lambda: expected)()))
    difference = float(np.abs(found[0] - first.numpy()).max()) / max(float(np.abs(found[0]).max()), 1e-6)
    if not difference <= TOLERANCE:
        raise ModelFileError(f"its ONNX export differs from torch by {difference:.1e} of the largest value")
