"""Try HDF5 files of unknown origin in a separate process first: damaged files crash or hang libhdf5 itself.

Files that name other files (external links, external storage, virtual datasets) are refused: the content of those files
would be taken for weights. Files whose data unpack to many times their size are refused, too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import List, Optional

_SECONDS = 10  # of processor time, plus one for every 20 MB
_PATIENCE = 12  # times as long by the clock: other work of the machine is no damage of the file
_OUT_OF_TIME = -int(getattr(signal, "SIGXCPU", 1 << 16))  # systems without that signal have no such limit
_MEMORY = 512 << 20  # bytes, plus four times the file's size: weights hardly compress, and are read one by one
_PROBE = """
import functools, json, operator, sys
path, folders, allowed, seconds = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
sys.path += folders
import h5py
def limit(kind, value):
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (min([value] + [old for old in (soft, hard) if old != resource.RLIM_INFINITY]), hard))
try:
    import resource
    limit(resource.RLIMIT_CPU, seconds)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    limit(resource.RLIMIT_AS, used + allowed)
except (ImportError, OSError, ValueError):
    pass  # systems without such limits
total = 0
def links(group):
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            raise ValueError("it has a link to another file, %r" % name)
def attributes(item):
    for name in item.attrs:
        item.attrs[name]
def look(name, item):
    global total
    attributes(item)
    if isinstance(item, h5py.Group):
        links(item)
    elif isinstance(item, h5py.Dataset):
        if item.external or item.is_virtual:
            raise ValueError("the data of %r lie in another file" % name)
        total += functools.reduce(operator.mul, map(int, item.shape or ()), item.dtype.itemsize)
        if total > allowed:
            raise ValueError("its data are more than %d MB, with those of %r" % (allowed >> 20, name))
        if not name.startswith("optimizer_weights"):
            item[()]
try:
    with h5py.File(path, "r") as file:
        attributes(file)
        links(file)
        file.visititems(look)
except Exception as error:
    sys.stdout.write("%s: %s" % (type(error).__name__, error))
    sys.exit(3)
"""


def find_damage(path: str) -> Optional[str]:
    """Find out whether a file can be opened safely: read all of it in another process, with limited memory and time.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    str or None
        The reason why it cannot be opened safely, None if it can.
    """
    if not sys.executable:  # Python is embedded in another program and cannot start a process
        return None
    size = os.path.getsize(path)
    seconds = _SECONDS + size / 20e6
    limits = [str(_MEMORY + 4 * size), str(int(seconds) + 1)]
    command = [sys.executable, "-I", "-c", _PROBE, os.path.abspath(path), json.dumps(_import_folders()), *limits]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE * seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"HDF5 does not finish reading it in {_PATIENCE * seconds:.0f} s"
    if done.returncode == _OUT_OF_TIME:
        return f"HDF5 does not finish reading it in {seconds:.0f} s of processor time"
    if done.returncode < 0:
        return f"HDF5 crashes on it (signal {-done.returncode})"
    if done.returncode == 3:
        return f"HDF5 cannot open it ({_line(done.stdout, 0)})"
    return f"it cannot be tried in a separate process ({_line(done.stderr, -1)})" if done.returncode else None


def _line(output: bytes, index: int) -> str:
    return output.decode("utf-8", "replace").strip().split("\n")[index][:300]


def _import_folders() -> List[str]:
    """Return the folders of h5py and numpy; the process imports from no other folder, the working folder included."""
    origins = [find_spec(name).origin for name in ("h5py", "numpy")]  # type: ignore[union-attr]
    return [os.path.dirname(os.path.dirname(str(origin))) for origin in origins]
