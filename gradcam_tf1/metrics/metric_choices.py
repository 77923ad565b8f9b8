"""Which metrics to compute, with their options: from what people write to checked names and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.options import check_options
from gradcam_tf1.metrics.metric_table import METRICS

ChosenMetrics = Dict[str, Dict[str, Any]]


@dataclass(frozen=True, repr=False)
class MetricChoice:
    """A metric with options. Made by `metric`; usable wherever a metric name is taken.

    Attributes
    ----------
    name : str
        Of METRICS.
    given : tuple of (str, Any)
        The options that were given, sorted by name.
    """

    name: str
    given: Tuple[Tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in METRICS:
            raise OptionError(f"no metric {self.name!r}; possible: {', '.join(METRICS)}")
        check_options(self.name, METRICS[self.name].options, self.options)

    @property
    def options(self) -> Dict[str, Any]:
        """The given options by name."""
        return dict(self.given)

    def __repr__(self) -> str:
        return f"metric({', '.join([repr(self.name), *(f'{name}={value!r}' for name, value in self.given)])})"


def metric(name: str, **options: Any) -> MetricChoice:
    """Choose a metric with options, as in `metric("insertion", steps=100)`.

    Parameters
    ----------
    name : str
        Of METRICS.
    **options : Any
        Options of the metric; the others have their defaults.

    Raises
    ------
    OptionError
        If there is no such metric or option, or a value is of another type or out of bounds.
    """
    return MetricChoice(name, tuple(sorted(options.items())))


Metrics = Union[str, MetricChoice, Sequence[Union[str, MetricChoice]], Mapping[str, Mapping[str, Any]]]


def choose_metrics(given: Metrics) -> ChosenMetrics:
    """Return metric name -> its given options, each metric once, in order.

    Parameters
    ----------
    given : str, MetricChoice, sequence of these, or mapping
        The metrics; a mapping is what this function returns.

    Raises
    ------
    OptionError
        If a metric or an option does not exist, a value has the wrong type or is out of bounds, or a metric comes twice
        with different options.
    """
    chosen: ChosenMetrics = {}
    for choice in _choices(given):
        row = METRICS[choice.name]
        if choice.name in chosen and row.filled(chosen[choice.name]) != row.filled(choice.options):
            raise OptionError(f"{choice.name} is given twice with different options; measure each on its own")
        chosen.setdefault(choice.name, choice.options)
    if not chosen:
        raise OptionError(f"no metric is given; possible: {', '.join(METRICS)}")
    return chosen


def _choices(given: Any) -> List[MetricChoice]:
    if isinstance(given, (str, MetricChoice)):
        given = [given]
    if isinstance(given, Mapping):
        if not all(isinstance(options, Mapping) for options in given.values()):
            raise OptionError(f"metrics are {given!r}; give names, or metric -> its options: {{'road': {{}}}}")
        return [metric(name, **options) for name, options in given.items()]
    if not isinstance(given, (list, tuple, set)):
        raise OptionError(f"metrics are {given!r}; give a name or a list of these: {', '.join(METRICS)}")
    return [choice if isinstance(choice, MetricChoice) else MetricChoice(choice) for choice in given]
