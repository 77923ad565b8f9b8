"""A short run of the fuzzer with a fixed seed; `make fuzz` runs a long one."""

from __future__ import annotations

import signal
import threading
import time

import fuzz_models
import pytest
from fuzz_models import BUG, fuzz, run_case

from gradcam_tf1.errors import ModelFileError

pytestmark = pytest.mark.programs


def test_models_weights_and_labels_load_or_are_refused():
    results = fuzz(60, seed=4)
    assert not {number: told for number, told in results.items() if BUG in told}
    assert any(told.endswith("loads") for told in results.values())
    assert sum("refused" in told for told in results.values()) > 10


@pytest.mark.parametrize(
    ("raised", "told"),
    [(ModelFileError("no"), "refused: 'no'"), (KeyError("x"), "BUG KeyError"), (MemoryError(), "BUG MemoryError")],
)
def test_what_is_a_finding(raised, told, monkeypatch, tmp_path):
    def how(_):
        raise raised

    monkeypatch.setattr(fuzz_models, "prepare", lambda *_: ("case", "path", how))
    assert told in run_case(str(tmp_path), 0, 0)


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals need the main thread of a worker"
)
def test_a_case_that_computes_for_too_long_is_a_finding_and_one_that_waits_is_none(monkeypatch, tmp_path):
    def busy(_):
        while True:
            pass

    monkeypatch.setattr(fuzz_models, "SECONDS", 0.2)
    before = signal.signal(signal.SIGPROF, fuzz_models._too_long)
    try:
        for how, told in ((busy, "BUG TimeoutError"), (lambda _: time.sleep(0.3), "loads")):
            monkeypatch.setattr(fuzz_models, "prepare", lambda *_, how=how: ("case", "path", how))
            assert told in run_case(str(tmp_path), 0, 0)
    finally:
        signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("end", ["import os; os.abort()", "import time; time.sleep(100)"])
def test_a_process_that_dies_or_hangs_is_a_finding_and_the_next_goes_on(end, monkeypatch, tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys\n"
        "first = int(sys.argv[sys.argv.index('--case') + 1])\n"
        "for number in range(first, 3):\n"
        "    print('start', number, flush=True)\n"
        f"    if number == 1:\n        {end}\n"
        "    print('end', number, 'what: loads', flush=True)\n"
    )
    monkeypatch.setattr(fuzz_models, "SCRIPT", str(script))
    monkeypatch.setattr(fuzz_models, "PATIENCE", 2)
    results = fuzz(3, seed=0)
    assert results[0] == results[2] == "what: loads"
    assert results[1].startswith(f"{BUG}: the process ended with -")
