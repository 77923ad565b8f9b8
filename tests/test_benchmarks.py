"""The benchmark: how it measures and prints, and that its rows run; nothing here depends on how fast anything is."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import demo_model, demo_scenes

pytestmark = pytest.mark.programs

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.mark.parametrize(("most", "asked", "runs"), [(None, 2, 3), (3, 2, 2), (1, 9, 1)])
def test_alternatives_are_measured_in_turn(module, most, asked, runs):
    order = []
    alternatives = {name: lambda name=name: order.append(name) for name in "ab"}
    timing = module("timing")
    assert set(timing.measure(timing.Case(alternatives, rounds=most), asked)) == {"a", "b"}
    assert order == ["a", "b"] * runs


def test_the_first_round_does_not_count_and_a_float_is_what_it_says(module):
    told = iter([9.0, 1.0, 5.0, 2.0])
    case = module("timing").Case({"a": lambda: next(told), "b": lambda: time.sleep(0.01)})
    medians = module("timing").measure(case, 3)
    assert medians["a"] == 2.0
    assert 0.01 <= medians["b"] < 1


def test_targets_say_whether_they_are_met(module, capsys):
    timing = module("timing")
    targets = [timing.Ratio("a", "b", 1.25), timing.Ratio("a", "b", 1.15), timing.Ratio("a", "b", 0.1, times=8)]
    timing.print_targets(targets, {"a": 0.6, "b": 0.5})
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "| a / b | 1.200 | <= 1.25 | met |",
        "| a / b | 1.200 | <= 1.15 | MISSED |",
        "| a / 8 x b | 0.150 | <= 0.1 | MISSED |",
    ]
    medians = {"a": 70e6, "b": 49e6}
    timing.print_targets([timing.Difference("a", "b", 20), timing.Difference("b", "a", 0)], medians, timing.MEGABYTES)
    timing.print_medians(medians, timing.MEGABYTES)
    assert capsys.readouterr().out.splitlines()[-6:] == [
        "| a - b | 21.000 | <= 20 | MISSED |",
        "| b - a | -21.000 | <= 0 | met |",
        "| | MB | times the first |",
        "|---|---|---|",
        "| a | 70.0 | 1.00 |",
        "| b | 49.0 | 0.70 |",
    ]


def test_a_limit_is_in_the_unit_of_its_case(module, capsys):
    timing = module("timing")
    timing.print_targets([timing.Limit("a", 1000), timing.Limit("b", 100)], {"a": 0.5, "b": 0.12})
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "| a | 500.000 | <= 1e+03 | met |",
        "| b | 120.000 | <= 100 | MISSED |",
    ]


BUSY = """
addEventListener("scroll", () => {
  const end = performance.now() + 150;
  while (performance.now() < end);
});
"""


def test_the_row_of_the_report_sees_what_it_measures(module, tmp_path):
    """Pictures that come late, and a task that takes long while scrolling."""
    pages = module("pages")
    records = [pages.report_data.record(n, f"{n}.jpg") for n in range(200)]
    url = pages.report_data.write_report(tmp_path / "report", records, pictures=pages.pictures(2))
    with pages.open_browser(tmp_path / "profile") as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": pages.WATCH})
        assert 0 < pages.first_screen(driver, url) < 30
        assert driver.execute_script("return document.querySelectorAll('.card-picture:not([hidden])').length") > 5
        driver.execute_script(BUSY)
        assert 0.15 <= pages.longest_task(driver, 0.3, 0.3) < 30


def test_rows_of_the_demo_net_run(module, capsys, monkeypatch):
    bench = module("bench")
    monkeypatch.setattr(bench, "ROUNDS", 1)
    bench.main("demo_batch", "demo_saliency", "demo_curves")
    printed = capsys.readouterr().out
    assert "| forward only |" in printed
    assert "| 1.00 |" in printed
    assert "| gradcam, 8 images / 8 x saliency |" in printed
    assert "| insertion + deletion / 102 forward passes |" in printed


def test_unknown_rows_are_refused(module):
    with pytest.raises(SystemExit, match="no row 'nothing'; possible: demo_batch, vgg19_single"):
        module("bench").main("nothing")


def test_the_other_library_computes_the_same_maps(module):
    material = module("material")
    with material.demo_net() as net:
        fitted = [net.fit_image(image) for image in material.scenes(2)]
        ours = net.explain(fitted, targets=[0, 3])["gradcam"]
        theirs = module("saliency_library").SaliencyGradCam(net)
        batch = net.preprocess(np.stack([item.pixels for item in fitted]).astype(np.float32))
        expected = np.stack([[theirs.mask(image, class_id) for class_id in (0, 3)] for image in batch])
    np.testing.assert_allclose(ours, expected, atol=1e-5 * ours.max())


def test_rows_whose_nets_are_absent_are_left_out(module, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADCAM_TF1_MODELS", str(tmp_path))
    module("bench").main("mobilenet_folder")
    assert capsys.readouterr().out.splitlines()[-1] == (
        "left out: no real nets and photographs here: GRADCAM_TF1_MODELS names their folder"
    )


def test_scenes_stand_in_for_photographs(module, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADCAM_TF1_MODELS", str(tmp_path / "absent"))
    paths = module("material").photographs(14, tmp_path)
    assert [Path(path).name for path in paths] == [f"{n:04d}.jpg" for n in range(14)]
    assert all(Path(path).read_bytes()[:3] == b"\xff\xd8\xff" for path in paths)
    small = [cv2.resize(read_image(path), (32, 24), interpolation=cv2.INTER_AREA).astype(float) for path in paths]
    scenes = [scene.path for scene in demo_scenes()]
    assert read_image(paths[0]).shape == (450, 500, 3)
    for n, path in enumerate((scenes * 2)[:14]):
        own = cv2.resize(read_image(path), (32, 24), interpolation=cv2.INTER_AREA).astype(float)
        assert np.abs(small[n] - own).mean() < 4


def test_a_replay_gives_the_numbers_of_explain(module):
    """Ten images in batches of eight are two runs of the session, and nothing of the recording stays."""
    paths = [scene.path for scene in demo_scenes()[:10]]
    with module("material").demo_net() as net:
        own_run = net._sessions[0].run_again
        answers = module("folders").replay(net, paths, ["gradcam"])()
        assert net._sessions[0].run_again == own_run
        fitted = [net.fit_image(read_image(path)) for path in paths]
        expected = [net.explain(part)["gradcam"][:, 0] for part in (fitted[:8], fitted[8:])]
    found = [next(value for value in one if value.ndim == 3) for one in answers]  # the maps [N, h, w]
    assert [len(one) for one in found] == [8, 2]
    for maps, wanted in zip(found, expected):
        np.testing.assert_allclose(np.maximum(maps, 0), wanted, atol=1e-6)


def test_wall_and_cpu_of_a_folder_are_of_the_same_run(module, tmp_path):
    with module("material").demo_net() as net:
        case = module("folders").against_cpu(net, [scene.path for scene in demo_scenes()], str(tmp_path))
        before = time.process_time()
        medians = module("timing").measure(case, 1)
        spent = time.process_time() - before
    cores = len(os.sched_getaffinity(0))
    assert 0 < medians["CPU / cores"] * cores < spent < cores * 2 * (medians["wall"] + 60)
    assert len(list(tmp_path.glob("*_gradcam*"))) > 0


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read on Linux only")
def test_memory_is_what_the_kernel_says(module):
    held = np.ones(400_000_000, np.uint8)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident, most = (module("alone").memory(field) for field in ("VmRSS", "VmHWM"))
    assert abs(resident - pages * os.sysconf("SC_PAGE_SIZE")) < 4e6
    assert most >= resident > held.nbytes


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read on Linux only")
def test_a_long_run_is_looked_at_when_so_many_images_are_done(module):
    found = module("alone").long_run("3", "14")
    assert {what: list(row) for what, row in found.items()} == {"bytes": ["3", "14"], "ops": ["3", "14"]}
    assert found["ops"]["3"] == found["ops"]["14"] > 100
    assert found["bytes"]["14"] > 50e6


def test_processes_of_their_own_answer_with_numbers(module):
    alone = module("processes").alone
    scene = demo_scenes()[0].path
    with module("material").demo_net() as net:
        expected = net.explain(read_image(scene))
        logits = net.sess.run(
            net.binding.logits, {"input:0": net.preprocess(net.fit_image(read_image(scene)).pixels[None])}
        )
    np.testing.assert_allclose(alone("first_map", demo_model(), scene), expected["gradcam"], atol=1e-5)
    np.testing.assert_allclose(module("alone").bare_run(demo_model(), scene), logits, atol=0.05)
    with pytest.raises(RuntimeError, match="(?s)alone.py first_map nowhere.pb.*nowhere.pb"):
        alone("first_map", "nowhere.pb", scene)


def test_a_build_answers_with_the_numbers_of_its_net(module, tmp_path):
    builds = module("builds")
    with builds.Build(sys.prefix) as build:
        told = build.ask("demo net", "gradcam", tmp_path / "maps.npz")
        with pytest.raises(RuntimeError, match="python ended with 1 at .*no such net"):
            build.ask("no such net", "forward")
    assert 0 < told["seconds"] < 60
    material = module("material")
    with material.demo_net() as net:
        expected = net.explain(material.scenes(8), targets=0)["gradcam"]
    with np.load(str(tmp_path / "maps.npz")) as found:
        np.testing.assert_allclose(found["gradcam"], expected, atol=1e-5 * expected.max())


def test_builds_are_compared_by_the_largest_difference(module, capsys, tmp_path):
    np.savez(tmp_path / "a.npz", maps=np.array([1.0, -4.0]))
    np.savez(tmp_path / "b.npz", maps=np.array([1.5, -4.2]))
    module("builds").print_differences(tmp_path / "a.npz", tmp_path / "b.npz", "other")
    assert capsys.readouterr().out == "other: maps differ by 1.2e-01 of the maximum\n"
