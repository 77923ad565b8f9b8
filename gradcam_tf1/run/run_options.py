"""The options of a run and the values they may have. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.window import make_window
from gradcam_tf1.methods.noise import as_noise
from gradcam_tf1.run.naming import check_naming
from gradcam_tf1.run.reading import ON_ERROR
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.worker_threads import check_threads
from gradcam_tf1.types import MethodProgress

EXPLAIN_OPTIONS = ("score", "options", "noise", "fuse", "aug_smooth", "eigen_smooth")


@dataclass(frozen=True)
class RunOptions:
    """What a run is told besides its images and its output folder.

    targets: None for each image's top class; a class id or name; a record from `targets.py`; a list of these for all
        images; one row of these per image of the listing; or a function that makes such rows of the listing, such
        as a `PerImage`.
    methods: names from METHODS or METHOD_GROUPS; None: Grad-CAM and Guided Grad-CAM, as far as the net allows.
    layers: layer names or counts from the end; None: the bound layer. batch_size: images held at a time; None: as
        many as the net's.
    inputs: values of further inputs that differ from image to image, by tensor; see `inputs.input_rows`. Or the
        path of a table of them, see `input_tables.read_input_table`.
    naming: "source" or "indexed", see `naming.py`. n_images, seed: only so many images, drawn by the seed.
    figures: names from `figures.kinds.FIGURES`, drawn of each image; each takes another pass through the net.
    max_pixels: larger images are refused. threads: that read and write images; None: one for each core.
    resume: go on where an earlier run of the same settings, model and images into this folder ended.
    on_error: what an image that fails does: "skip" (the manifest says why), or "stop" the run there.
    timeout: seconds that an image may take to be read, and a batch in the net; they have failed then.
    window: how measured values become 0..255: (low, high), "none" for values as they are stored, or a Window.
    stop: asked before each batch; True ends the run, which can be resumed.
    progress: called with each result and the number of all images, None where it is not known.
    steps: told what methods that run the net many times cost, and how far they are, as `progress` of `explain`.
    look: how maps are drawn. explain: what `GradCamGraph.explain` is told besides, by EXPLAIN_OPTIONS.

    Raises: OptionError for a value that cannot be.
    """

    targets: Any = None
    methods: Union[str, Sequence[str], None] = None
    layers: Any = None
    batch_size: Optional[int] = None
    inputs: Any = None
    naming: str = "source"
    n_images: Optional[int] = None
    seed: int = 0
    figures: Union[str, Sequence[str]] = ()
    max_pixels: int = MAX_PIXELS
    threads: Optional[int] = None
    resume: bool = False
    on_error: str = "skip"
    timeout: Optional[float] = None
    window: Any = None
    stop: Callable[[], bool] = lambda: False
    progress: Optional[Callable[[Result, Optional[int]], None]] = None
    steps: Optional[Callable[[MethodProgress], None]] = None
    look: Style = field(default_factory=Style)
    explain: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_naming(self.naming)
        make_window(self.window)
        for name in ("batch_size", "n_images", "seed", "max_pixels", "threads"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, Integral)):
                raise OptionError(f"{name} is a whole number, not {value!r}")
        check_threads(self.threads)
        if self.batch_size is not None and self.batch_size < 1:
            raise OptionError(f"batch_size is the number of images held at a time, at least 1, not {self.batch_size}")
        if self.on_error not in ON_ERROR:
            raise OptionError(f"on_error is what a failed image does: {' or '.join(ON_ERROR)}, not {self.on_error!r}")
        if self.timeout is not None and not self.timeout > 0:
            raise OptionError(
                f"timeout is the number of seconds that an image or a batch may take, more than 0, not {self.timeout}"
            )


_OWN = tuple(item.name for item in fields(RunOptions) if item.name not in ("look", "explain"))
_LOOK = tuple(item.name for item in fields(Style))


def run_options(given: Mapping[str, Any]) -> RunOptions:
    """The options as one writes them, side by side: those of RunOptions, of Style and of `explain`.

    Raises: OptionError for a name that there is not and for a value that cannot be.
    """
    families = (_OWN, _LOOK, EXPLAIN_OPTIONS)
    possible = [name for names in families for name in names]
    for name in given:
        if name not in possible:
            raise OptionError(f"no option {name!r}; possible: {', '.join(possible)}")
    if "noise" in given:
        given = {**given, "noise": as_noise(given["noise"])}
    own, look, explain = ({name: given[name] for name in names if name in given} for names in families)
    return RunOptions(**own, look=Style(**look), explain=explain)
