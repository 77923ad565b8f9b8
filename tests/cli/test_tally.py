"""What the command says at the end is counted while it runs, and stays short."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gradcam_tf1.cli import main
from gradcam_tf1.cli.progress import MAX_REASONS, Tally
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model
from gradcam_tf1.run import line_index, results
from gradcam_tf1.run.result import MapRecord, Result, TargetRecord
from gradcam_tf1.run.results import Results


def told(capsys, failed, empty, quiet=False):
    maps = tuple(MapRecord("gradcam", "", state, "", 0.0, 1.0, None) for state in ("ok", *["empty"] * empty))
    made = [Result(error=f"{i} is torn\x1b") for i in range(failed)]
    made.append(Result(0, targets=[TargetRecord(0, None, 1.0, None, maps)]))
    results = Results(made, "out", "out/manifest.jsonl", ["known", "new"])
    seen = []
    tally = Tally(lambda result, total: seen.append((result, total)))
    for result in results:
        tally(result, 7)
    assert seen == [(result, 7) for result in results]
    tally.report(results, ["known"], quiet)
    said = capsys.readouterr()
    return said.out.splitlines(), said.err.splitlines()


def test_every_failure_is_told(capsys):
    out, err = told(capsys, MAX_REASONS, 0)
    assert out == [f"1 image explained, {MAX_REASONS} failed; results in out"]
    assert err == ["Warning: new", *(f"failed: {i} is torn\\x1b" for i in range(MAX_REASONS))]


def test_more_are_counted(capsys):
    out, err = told(capsys, MAX_REASONS + 23, 2)
    assert out == [
        f"1 image explained, {MAX_REASONS + 23} failed, 2 empty maps (manifest.jsonl says why); results in out"
    ]
    assert err[-1] == "failed: and 23 more, see out/manifest.jsonl"
    assert len(err) == 1 + MAX_REASONS + 1


def test_quiet_tells_failures_only(capsys):
    assert told(capsys, 1, 1, quiet=True) == ([], ["failed: 0 is torn\\x1b"])
    assert told(capsys, 0, 1, quiet=True) == ([], [])


@pytest.mark.parametrize("bad", [0, 1])
def test_the_manifest_is_not_read_again(tmp_path, monkeypatch, bad):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(np.full((8, 8, 3), 60 * i, np.uint8)).save(str(folder / f"{i}.png"))
    if bad:
        (folder / "1.png").write_bytes(b"")
    monkeypatch.setattr(results, "KEPT", 0)
    reads, read = [], line_index.LineIndex.read
    monkeypatch.setattr(
        line_index.LineIndex, "read", lambda self, numbers: reads.append(numbers) or read(self, numbers)
    )
    args = ["run", demo_model(), str(folder), "--out", str(out), "--preset", DEMO_PRESET, "--method", "gradcam"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == bad, done.output
    assert f"{3 - bad} images explained, {bad} failed" in done.output
    assert reads == [range(0)], "for what is done, at the start"
