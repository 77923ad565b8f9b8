"""What a map costs: python benchmarks/bench.py [ROW ...] (`make bench` runs all rows).

Every row times alternatives that answer the same question, in turn (a b c a b c ...), so that whatever else the machine
does meets all of them alike, and prints the median of each, its multiple of the first, and the ratios that are to hold.
ROUNDS in the environment says how often; three are enough for a glance.
"""

from __future__ import annotations

import os
import sys

from rows import ROWS
from timing import interleaved_medians, print_medians, print_ratios

from gradcam_tf1.tf_runtime import tf

ROUNDS = int(os.environ.get("ROUNDS", "9"))


def main(*names: str) -> None:
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        sys.exit(f"no row {unknown[0]!r}; possible: {', '.join(ROWS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(f"TensorFlow {tf.__version__}, Python {sys.version.split()[0]}, medians of {ROUNDS} interleaved rounds")
    for name in names or ROWS:
        print(f"\n{name}: {ROWS[name].__doc__}\n")
        with ROWS[name]() as case:
            medians = interleaved_medians(case.alternatives, ROUNDS)
        print_medians(medians)
        print_ratios(case.ratios, medians)


if __name__ == "__main__":
    main(*sys.argv[1:])
