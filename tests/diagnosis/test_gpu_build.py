"""Which card which build of TensorFlow can use: made-up cards, made-up builds, and a made-up nvidia-smi."""

from __future__ import annotations

import pytest

from gradcam_tf1.diagnosis import gpu_build, machine, nvidia_cards
from gradcam_tf1.diagnosis.gpu_build import GpuBuild, card_findings, runs_on
from gradcam_tf1.diagnosis.nvidia_cards import Card, find_cards

T4, A100, H200 = Card("Tesla T4", (7, 5)), Card("NVIDIA A100", (8, 0)), Card("NVIDIA H200", (9, 0))
M60, K80, NAMELESS = Card("Tesla M60", (5, 2)), Card("Tesla K80", (3, 7)), Card("GeForce GTX 1080")
BLACKWELL = Card("NVIDIA GeForce RTX 5090", (12, 0))
CPU1, CPU2 = GpuBuild("1.15.5", False), GpuBuild("2.21.0", False)
CUDA10 = GpuBuild("1.15.0", True, "10.0", ("3.5", "3.7", "5.2", "6.0", "6.1", "7.0"))
VENDOR = GpuBuild("1.15.5", True, "12")
TF2 = GpuBuild("2.21.0", True, "12.5.1", ("sm_60", "sm_70", "sm_80", "sm_89", "compute_90"))
GPU = ["/physical_device:GPU:0"]


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Puts a program nvidia-smi on the PATH that prints a text and ends with a code."""

    def make(text, code=0):
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{text}\nEND\nexit {code}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    monkeypatch.setattr(nvidia_cards, "_from_driver", list)
    monkeypatch.setattr(nvidia_cards, "_PROC", tmp_path)
    return make


@pytest.mark.parametrize(
    ("targets", "card", "works"),
    [
        (("sm_70",), (7, 5), True),  # code for 7.0 runs on 7.5
        (("sm_75",), (7, 0), False),
        (("sm_80",), (9, 0), False),  # not on the next generation
        (("compute_80",), (9, 0), True),  # which the driver compiles for it
        (("compute_90",), (8, 6), False),
        (("sm_60", "sm_120"), (12, 0), True),
        (("7.0", "8.0"), (5, 2), False),  # as TensorFlow 1 writes them: it keeps both forms of each
        (("3.7", "7.0"), (5, 0), True),
        (("sm_90a",), (9, 0), True),
        ((), (5, 0), True),  # not known: nothing is forbidden
    ],
)
def test_code_runs_on_its_generation_and_what_the_driver_compiles_on_later_ones(targets, card, works):
    assert runs_on(targets, card) == works


@pytest.mark.parametrize(
    ("card", "build"), [(T4, CUDA10), (K80, CUDA10), (A100, VENDOR), (T4, TF2), (H200, TF2), (BLACKWELL, TF2)]
)
def test_a_card_that_suits_the_build_needs_no_words(card, build):
    assert card_findings([card], build, GPU) == []


@pytest.mark.parametrize(
    ("card", "build", "parts"),
    [
        (
            T4,
            CPU1,
            ("Tesla T4 (compute capability 7.5) is not used", "built for the CPU", "install tensorflow==1.15.0"),
        ),
        (A100, CPU1, ("built for the CPU", "TensorFlow 2 on Python 3.9", 'pip install "tensorflow[and-cuda]"')),
        (NAMELESS, CPU1, ("GeForce GTX 1080 is not used", "up to Turing pip install tensorflow==1.15.0", "and-cuda")),
        (T4, CPU2, ("built for the CPU", "and-cuda")),
        (A100, CUDA10, ("does not suit this TensorFlow 1.15.0, built with CUDA 10.0,", "up to 7.5", "and-cuda")),
        (BLACKWELL, CUDA10, ("does not suit", "hangs or computes wrongly")),
        (Card("Quadro K2000", (3, 0)), CUDA10, ("does not suit", "no wheel that this package runs on")),
        (M60, TF2, ("does not suit", "sm_60, sm_70", "an earlier TensorFlow 2", "tensorflow==1.15.0")),
    ],
)
def test_a_card_that_does_not_suit_the_build_is_named_with_the_way_out(card, build, parts):
    # also if TensorFlow lists it: 1.15 lists cards that it computes wrongly on
    (said,) = card_findings([card, card], build, GPU if build.has_cuda else [])
    for part in (*parts, "docs/gpu.md"):
        assert part in said
    assert ("tensorflow==1.15.0" in said) <= (card.capability is None or card.capability <= (7, 5))


@pytest.mark.parametrize(
    ("build", "libraries"), [(CUDA10, "CUDA 10.0 and cuDNN on LD_LIBRARY_PATH"), (TF2, "and-cuda")]
)
def test_a_card_that_suits_but_is_not_seen_lacks_its_libraries(build, libraries, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (said,) = card_findings([T4], build, [])
    assert "is not seen" in said
    assert libraries in said
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    (said,) = card_findings([T4], build, [])
    assert "CUDA_VISIBLE_DEVICES='-1'" in said


def test_nvidia_smi_names_the_cards(nvidia_smi):
    nvidia_smi("Tesla T4, 7.5\nNVIDIA GeForce RTX 5090, 12.0")
    assert find_cards() == [T4, BLACKWELL]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('Field "compute_cap" is not a valid field to query.', 2),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9),
        ("No devices were found", 6),
        ("Tesla T4, [N/A]", 0),
        ("", 0),
    ],
)
def test_without_an_answer_the_kernel_s_driver_names_them(nvidia_smi, tmp_path, text, code):
    nvidia_smi(text, code)
    assert find_cards() == []
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t\t GeForce GTX 1080\nIRQ:   \t 130\n")
    assert find_cards() == [NAMELESS]


def test_the_doctor_s_machine_says_it(nvidia_smi, monkeypatch):
    nvidia_smi("NVIDIA A100, 8.0")
    monkeypatch.setattr(machine, "this_build", lambda: CPU1)
    assert "NVIDIA A100 (compute capability 8.0) is not used" in machine.machine()[-1]
    nvidia_smi("", 1)
    assert machine.machine()[-1].startswith("no GPU")


def test_the_header_of_a_wheel_of_1_15_describes_it(tmp_path):
    header = tmp_path / "cuda_config.h"
    header.write_text(
        '#define TF_CUDA_CAPABILITIES CudaVersion("3.5"), CudaVersion("3.7"), CudaVersion("5.2"), '
        'CudaVersion("6.0"), CudaVersion("6.1"), CudaVersion("7.0")\n#define TF_CUDA_VERSION "10.0"\n'
    )
    build = gpu_build._described_by(str(header))
    assert (build.has_cuda, build.cuda, build.targets) == (True, CUDA10.cuda, CUDA10.targets)
    build = gpu_build._described_by(str(tmp_path / "none.h"))
    assert (build.has_cuda, build.cuda, build.targets) == (True, "", ())


def test_the_running_build_is_described():
    build = gpu_build.this_build()
    assert build.has_cuda or build.targets == ()
    assert not (build.has_cuda and not build.is_tf1) or build.targets
