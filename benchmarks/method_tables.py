"""The tables of the comparison of methods: their rows, and their place in docs/methods.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Mapping, Sequence

import numpy as np

from gradcam_tf1 import METHODS
from gradcam_tf1.metrics.intervals import bootstrap, decided_pairs
from gradcam_tf1.nets.scene_levels import LEVELS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "methods.md"
Values = Mapping[str, Mapping[str, np.ndarray]]  # method -> metric -> [N]


def main_table(values: Values, seconds: Mapping[str, float], kept: Mapping[str, float], seed: int) -> List[str]:
    """The lines of a table: one row for each method and floor, the best pointing game first, few images last."""
    hits = {name: metrics["pointing"] for name, metrics in values.items()}
    best = best_method(values)
    worse = {pair.second for pair in decided_pairs(hits, seed, against=best) if pair.decided and pair.first == best}
    rows = [
        "| measured | pointing game | | energy | insertion | deletion | kept | seconds | n |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(values, key=lambda name: (bool(np.isnan(hits[name]).any()), -np.nanmean(hits[name]))):
        found = bootstrap(hits[name], seed)
        others = (_mean(values[name][metric]) for metric in ("energy", "insertion", "deletion"))
        mark = "best" if name == best else "worse" if name in worse else ""
        cells = [
            f"`{name}`" if name in METHODS else f"*{name}*",
            f"{_number(found.mean)} ({_number(found.low)} to {_number(found.high)})",
            mark,
            *others,
            _mean(np.array(kept.get(name, float("nan")))),
            f"{seconds[name]:.2g}" if seconds.get(name, float("nan")) > 0 else "",
            str(found.n),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    rows.extend(f"| `{name}` | | | | | | | | 0 |" for name in METHODS if name not in values)
    return rows


def best_method(values: Values) -> str:
    """The method with the best pointing game of those that were measured on all images, then the best energy."""
    complete = [name for name, metrics in values.items() if not np.isnan(metrics["pointing"]).any()]
    return max(complete, key=lambda name: tuple(np.nanmean(values[name][metric]) for metric in ("pointing", "energy")))


def on_fewer_images(values: Values) -> str:
    """What the best method does on the images of those that were measured on fewer, in a sentence; "" without any."""
    best = best_method(values)
    hits = values[best]["pointing"]
    fewer = {int((~np.isnan(metrics["pointing"])).sum()) for metrics in values.values()} - {len(hits)}
    parts = [f"{_number(hits[:count].mean())} on the first {count}" for count in sorted(fewer)]
    return f" To compare with methods of fewer images: `{best}` hits {', '.join(parts)}." if parts else ""


def level_table(values: Values, levels: Mapping[str, np.ndarray]) -> List[str]:
    """The lines of a table: the pointing game of each method by level of the scenes."""
    rows = [f"| measured | {' | '.join(LEVELS)} |", f"|---|{'---|' * len(LEVELS)}"]
    rows.append(f"| images | {' | '.join(str(int(levels[level].sum())) for level in LEVELS)} |")
    for name in sorted(values, key=lambda name: -np.nanmean(values[name]["pointing"])):
        cells = (_mean(values[name]["pointing"][levels[level]]) for level in LEVELS)
        rows.append(f"| {f'`{name}`' if name in METHODS else f'*{name}*'} | {' | '.join(cells)} |")
    rows.extend(f"| `{name}` |{' |' * len(LEVELS)}" for name in METHODS if name not in values)
    return rows


def write_part(name: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Put lines between the markers of a part of the page."""
    first, last = f"<!-- {name}: written by `make benchmark-methods` -->", f"<!-- end of {name} -->"
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(first)}.*?{re.escape(last)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise SystemExit(f"{page} has no single part {first} ... {last}")
    body = "\n".join([first, "", *lines, "", last])
    page.write_text(pattern.sub(lambda _: body, text), encoding="utf-8")


def named_methods(lines: Sequence[str]) -> Dict[str, int]:
    """Method -> number of its rows in a table."""
    names = [match.group(1) for match in (re.match(r"\| `(\w+)` \|", line) for line in lines) if match]
    return {name: names.count(name) for name in names}


def _mean(values: np.ndarray) -> str:
    return "" if np.isnan(values).all() else _number(float(np.nanmean(values)))


def _number(value: float) -> str:
    return f"{value:.2f}"
