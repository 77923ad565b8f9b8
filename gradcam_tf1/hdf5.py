"""HDF5 files of unknown origin, tried in a process of their own first: damaged ones crash or hang libhdf5 itself.

A file can also name other files (external links, external storage, virtual datasets), whose content would then be taken
for weights; such a file is refused.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import List, Optional

_SECONDS = 10  # and one more for every 20 MB
_PROBE = """
import json, sys
sys.path += json.loads(sys.argv[2])
import h5py
LIMIT = 2 ** 31
def links(group):
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            raise ValueError("it has a link to another file, %r" % name)
def attributes(item):
    for name in item.attrs:
        item.attrs[name]
def look(name, item):
    attributes(item)
    if isinstance(item, h5py.Group):
        links(item)
    elif isinstance(item, h5py.Dataset):
        if item.external or item.is_virtual:
            raise ValueError("the data of %r lie in another file" % name)
        if item.size * item.dtype.itemsize > LIMIT:
            raise ValueError("%r is larger than 2 GB" % name)
        if not name.startswith("optimizer_weights"):
            item[()]
try:
    with h5py.File(sys.argv[1], "r") as file:
        attributes(file)
        links(file)
        file.visititems(look)
except Exception as error:
    sys.stdout.write("%s: %s" % (type(error).__name__, error))
    sys.exit(3)
"""


def find_damage(path: str) -> Optional[str]:
    """Why a file cannot be opened safely, None if it can; all of it is read once, elsewhere."""
    if not sys.executable:  # a program with Python inside, which could not start another one
        return None
    command = [sys.executable, "-I", "-c", _PROBE, os.path.abspath(path), json.dumps(_places())]
    patience = _SECONDS + os.path.getsize(path) / 20e6
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        return f"HDF5 does not come to an end with it in {patience:.0f} s"
    if done.returncode < 0:
        return f"HDF5 crashes on it (signal {-done.returncode})"
    told = done.stdout.decode("utf-8", "replace").strip().split("\n")[0]
    return f"HDF5 cannot open it ({told[:300]})" if done.returncode == 3 else None


def _places() -> List[str]:
    """Where h5py and numpy are installed; the process looks nowhere else, not in the working folder either."""
    origins = [find_spec(name).origin for name in ("h5py", "numpy")]  # type: ignore[union-attr]
    return [os.path.dirname(os.path.dirname(str(origin))) for origin in origins]
