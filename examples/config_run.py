"""Keep the options of a run in a file, run it, and repeat it.

The same in a shell: gradcam-tf1 run --config run.yml --write-config used.yml; gradcam-tf1 run --config used.yml
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gradcam_tf1.nets.demo import demo_model, demo_scenes

RUN = """
model: {model}
images: [{image}]
out: out/config
preset: inception
class: [1, 4]
method: [gradcam, layercam]
layer: [-1, -2]
colormap: viridis
box: true
heatmaps: false
"""


def main() -> list[str]:
    """Write run.yml, run it, and return the names of the files of the run that `used.yml` repeats."""
    Path("run.yml").write_text(RUN.format(model=demo_model(), image=demo_scenes()[8].path), encoding="utf-8")
    program = [sys.executable, "-m", "gradcam_tf1", "run", "--quiet"]
    subprocess.run([*program, "--config", "run.yml", "--write-config", "used.yml"], check=True)
    subprocess.run([*program, "--config", "used.yml", "--out", "out/again"], check=True)
    return sorted(path.name for path in Path("out/again").iterdir())


if __name__ == "__main__":
    print("\n".join(main()))
