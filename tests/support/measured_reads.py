"""Read an image in a process of its own, and measure the time and memory it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

READ = """
import json, resource, sys, time
from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import read_image
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, started = most(), time.process_time()
try:
    told = list(read_image(sys.argv[1]).shape)
except ImageFileError as error:
    told = str(error)
print(json.dumps([told, time.process_time() - started, most() - before]))
"""


def outcome(path, data=b"", size=None):
    """Return (shape of the pixels or reason, CPU seconds, MB of memory); the file is extended to `size` with a hole."""
    path.write_bytes(data)
    if size is not None:
        os.truncate(str(path), size)
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, str(path)], stdout=subprocess.PIPE, timeout=120, check=True
    )
    path.unlink()
    return json.loads(process.stdout.decode())
