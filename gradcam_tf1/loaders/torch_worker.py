"""Open a trusted torch file and export its net to ONNX: what runs in the process of `torch_model.load_torch_file`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders.converter_process import Facts, reason_of, serve
from gradcam_tf1.loaders.torch_export import export

if TYPE_CHECKING:
    import torch

_FILE = "model.pt"


def convert(request: Facts) -> Facts:
    """Export the net."""
    try:
        content = _opened(request["form"])
    except ModuleNotFoundError as error:
        raise ModelFileError(
            f"the class of its net is in the module {error.name!r}, which is not there; run this in the folder that "
            "has it, or install it"
        ) from error
    except AttributeError as error:
        raise ModelFileError(
            f"the class of its net is missing ({error}); a class of the script that saved it is not found again: put "
            "it into a module of its own and save the net anew, or write torch.onnx.export in that script"
        ) from error
    except Exception as error:  # a trusted file runs any code
        raise ModelFileError(f"torch cannot open it: {reason_of(error)}") from error
    export(_net_in(content), request["sides"], "exported.onnx")
    return {"done": True}


def _opened(form: str) -> Any:
    import torch

    if form == "script":
        return torch.jit.load(_FILE, map_location="cpu")
    if form == "program":
        return torch.export.load(_FILE).module()
    return torch.load(_FILE, map_location="cpu", weights_only=False)


def _net_in(content: Any) -> torch.nn.Module:
    """Return the net, also from the dict that a training program saved."""
    import torch

    if isinstance(content, torch.nn.Module):
        return content
    held = content if isinstance(content, dict) else {}
    nets = {str(name): value for name, value in held.items() if isinstance(value, torch.nn.Module)}
    if len(nets) == 1:
        return next(iter(nets.values()))
    found = ", ".join(list(map(str, held))[:8]) or type(content).__name__
    raise ModelFileError(
        f"it holds {len(nets) or 'no'} nets (found: {found}); write torch.save(net, 'net.pth') with the one to explain"
    )


if __name__ == "__main__":
    serve(convert)
