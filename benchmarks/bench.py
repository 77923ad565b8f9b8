"""What a map costs: python benchmarks/bench.py [ROW ...] (`make bench` runs all rows).

Every row measures alternatives that answer the same question, in turn (a b c a b c ...), so that whatever else the
machine does meets all of them alike, and prints the median of each, its multiple of the first, and what is to hold.
ROUNDS in the environment says how often; three are enough for a glance. Rows that take long have three at the most.
"""

from __future__ import annotations

import inspect
import os
import sys
from typing import Any, Dict

import clusters
import evaluations
import exports
import folders
import live
import pages
import pictures
import processes
import rows
import spark_rows
import training
import weights
from timing import Absent, measure, print_medians, print_targets

from gradcam_tf1.tf_runtime import tf

ROUNDS = int(os.environ.get("ROUNDS", "9"))

_ROWS = (
    rows.demo_batch,
    rows.vgg19_single,
    rows.vgg19_maps,
    rows.vgg19_pixels,
    rows.vgg19_relevance,
    rows.mobilenet_relevance,
    rows.vgg19_perturbation,
    rows.mobilenet_kernelshap,
    rows.vgg19_saliency,
    rows.demo_saliency,
    rows.training_inspect,
    folders.demo_folder,
    folders.mobilenet_folder,
    folders.run_with_report,
    folders.vgg19_with_report,
    folders.vgg19_folder,
    live.live_demo,
    live.live_mobilenet,
    processes.demo_memory,
    processes.demo_ops,
    live.live_memory,
    processes.vgg19_memory,
    processes.start_up,
    pages.report_gallery,
    clusters.strategies_of_5000,
    weights.demo_sanity,
    weights.demo_sanity_of_three,
    pictures.demo_picture,
    evaluations.demo_curves,
    evaluations.mobilenet_curves,
    evaluations.vgg19_curves,
    exports.exported_demo,
    exports.exported_mobilenet,
    exports.exported_vgg19,
    training.training_hook,
    training.training_memory,
    spark_rows.spark_folder,
)
ROWS: Dict[str, Any] = {row.__name__: row for row in _ROWS}


def main(*names: str) -> None:
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        sys.exit(f"no row {unknown[0]!r}; possible: {', '.join(ROWS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(f"TensorFlow {tf.__version__}, Python {sys.version.split()[0]}, medians of {ROUNDS} interleaved rounds")
    for name in names or ROWS:
        print(f"\n{name}: {inspect.getdoc(ROWS[name])}\n")
        try:
            with ROWS[name]() as case:
                medians = measure(case, ROUNDS)
        except Absent as reason:
            print(f"left out: {reason}")
            continue
        print_medians(medians, case.unit)
        print_targets(case.targets, medians, case.unit)


if __name__ == "__main__":
    main(*sys.argv[1:])
