"""What the live page answers is what `explain` says of the same bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from live_client import running

from gradcam_tf1 import ExplainOptions, Noise, Top, method
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.decode import decode
from gradcam_tf1.report.image_record import image_record
from gradcam_tf1.serve import web_app
from gradcam_tf1.serve.live_server import LiveServer


def expected(net, scene, *question, **options):
    """The maps that the record of this scene must hold."""
    explanation = net.explain([decode(io.BytesIO(scene[1]), "scene")], *question, **options)
    return image_record(explanation, ident="000000", name=scene[0])


def without_urls(record):
    """A record without its images, which are compared elsewhere."""
    targets = [{**target, "maps": [{**map, "pixels": None} for map in target["maps"]]} for target in record["targets"]]
    return {**record, "preview": None, "targets": targets}


QUESTIONS = [
    ([], (None, "gradcam"), {}),
    ([("class", "ring")], ("ring",), {}),
    ([("class", "1"), ("class", "cross"), ("method", "layercam"), ("layer", "-2")], ([1, "cross"], "layercam", -2), {}),
    ([("top", "2"), ("method", "hirescam"), ("score", "margin")], (Top(2), "hirescam"), {"score": "margin"}),
    ([("method", "finercam"), ("finercam.gamma", "0.3")], (None, method("finercam", gamma=0.3)), {}),
    (
        [("method", "guided_gradcam"), ("method", "gradient")],
        (None, ["guided_gradcam", "gradient"]),
        {},
    ),
    (
        [("method", "rise"), ("rise.masks", "20"), ("rise.baseline", "black")],
        (None, method("rise", masks=20, baseline="black")),
        {},
    ),
    (
        [("noise", "vargrad"), ("noise_samples", "3"), ("noise_level", "0.3")],
        (None, "gradcam"),
        {"options": ExplainOptions(noise=Noise("vargrad", 3, 0.3))},
    ),
    (
        [("aug_smooth", "true"), ("eigen_smooth", "1")],
        (None, "gradcam"),
        {"options": ExplainOptions(aug_smooth=True, eigen_smooth=True)},
    ),
]


@pytest.mark.parametrize(("fields", "question", "options"), QUESTIONS, ids=[str(q[0])[:60] for q in QUESTIONS])
def test_an_answer_is_what_explain_says(live, net, scenes, fields, question, options):
    answer = live.client.explain(scenes[8], fields=fields)
    assert answer.status == 200
    (record,) = answer.json["images"]
    assert without_urls(record) == without_urls(expected(net, scenes[8], *question, **options))


def test_parameters_may_stand_in_the_address(live, net, scenes):
    body = scenes[3][1]
    answer = live.client.ask("POST", "/explain?class=star&method=layercam", body, {"Content-Type": "image/png"})
    assert answer.status == 200
    (record,) = answer.json["images"]
    wanted = expected(net, scenes[3], "star", "layercam")
    assert without_urls(record) == without_urls({**wanted, "name": "image"})


def shown(url):
    import base64

    import cv2

    assert url.startswith("data:image/jpeg;base64,")
    data = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(int)


def test_the_preview_and_the_drawn_map_are_images_of_what_was_sent(live, net, scenes):
    pixels = decode(io.BytesIO(scenes[8][1]), "scene")
    (record,) = live.client.explain(scenes[8], fields=[("method", "gradient")]).json["images"]
    assert abs(shown(record["preview"]) - pixels).mean() < 4
    drawn = net.explain([pixels], None, "gradient").map("gradient").overlay()
    assert abs(shown(record["targets"][0]["maps"][0]["pixels"]) - drawn.astype(int)).mean() < 4


def test_a_large_image_is_shown_smaller(live):
    import cv2

    pixels = np.zeros((300, 2048, 3), np.uint8)
    pixels[:, 1024:] = 255
    (record,) = live.client.explain(("wide.png", cv2.imencode(".png", pixels)[1].tobytes())).json["images"]
    assert record["size"] == [300, 2048]
    preview = shown(record["preview"])
    assert preview.shape == (150, 1024, 3)
    assert preview[:, :500].max() < 8
    assert preview[:, 524:].min() > 247


def test_one_bad_image_stops_no_other(live, net, scenes):
    answer = live.client.explain(scenes[1], ("broken.png", scenes[2][1][:200]), scenes[3])
    assert answer.status == 200
    first, broken, third = answer.json["images"]
    assert without_urls(first) == without_urls(expected(net, scenes[1]))
    assert without_urls(third) == without_urls({**expected(net, scenes[3]), "id": "000002"})
    assert (broken["status"], broken["preview"], broken["targets"]) == ("error", None, [])
    assert "'broken.png' cannot be decoded" in broken["error"]


def test_no_good_image_at_all_is_said_by_the_status(live):
    answer = live.client.explain(("notes.png", b"not an image"))
    assert answer.status == 422
    assert "'notes.png' is not an image in a known format" in answer.json["images"][0]["error"]


@pytest.fixture
def often(monkeypatch):
    """The server looks at its jobs so often that each has states on the way."""
    monkeypatch.setattr(web_app, "STEP", 0.005)


@pytest.mark.usefixtures("often")
def test_a_stream_tells_the_progress_and_ends_with_the_answer(live, net, scenes):
    fields = [("method", "rise"), ("rise.masks", "300")]
    *steps, last = live.client.lines(scenes[8], fields=fields)
    assert steps
    assert {step["state"] for step in steps} == {"running"}
    done = [step["done"] for step in steps if "done" in step]
    assert done == sorted(done)
    assert {(step["method"], step["of"]) for step in steps if "of" in step} == {("rise", 300)}
    assert (last["state"], last["status"]) == ("done", 200)
    wanted = expected(net, scenes[8], None, method("rise", masks=300))
    assert without_urls(last["answer"]["images"][0]) == without_urls(wanted)


@pytest.mark.usefixtures("often")
def test_noisy_copies_are_counted(live, scenes):
    *steps, last = live.client.lines(scenes[8], fields=[("noise", "smoothgrad"), ("noise_samples", "50")])
    assert last["status"] == 200
    assert {(step["unit"], step["of"]) for step in steps if "of" in step} == {("noisy copies", 50)}


def test_a_failure_ends_a_stream_with_its_reason(live, scenes):
    (last,) = live.client.lines(scenes[8], fields=[("class", "unicorn")])[-1:]
    assert (last["state"], last["status"]) == ("failed", 400)
    assert "no class is named 'unicorn'" in last["error"]


def test_what_the_net_cannot_do_is_a_sentence(live, scenes):
    for fields, words in (
        ([("class", "99")], "no class 99: the net has 7 classes"),
        ([("method", "nocam")], "no method 'nocam'"),
        (
            [("method", "rise"), ("rise.masks", "1")],
            "rise.masks is a whole number at least 2 and at most 1000000, not 1",
        ),
        ([("color", "red")], r"no parameter 'color'"),
    ):
        answer = live.client.explain(scenes[0], fields=fields)
        assert answer.status == 400
        assert words in answer.error


def test_larger_images_than_allowed_are_refused_by_their_header(net, scenes):
    with running(net, max_pixels=320 * 240 - 1) as live:
        answer = live.client.explain(scenes[0])
        assert answer.status == 422
        assert "has 320x240 pixels, more than the 76,799" in answer.json["images"][0]["error"]


def test_time_is_limited(net, scenes):
    with running(net, timeout=0.05) as live:
        answer = live.client.explain(scenes[0], fields=[("method", "rise"), ("rise.masks", "20000")])
        assert answer.status == 504
        assert answer.error == "the net took longer than the time limit of 0.05 s"
        assert live.client.explain(scenes[0]).status in (200, 504)  # the next one has its own time


def test_a_net_of_signals_is_refused():
    from array_nets import ArrayNet

    from gradcam_tf1 import GradCamGraph

    words = "the live page explains images, and this net takes signals or volumes"
    with GradCamGraph(ArrayNet((11,)).graph()) as signals, pytest.raises(OptionError, match=words):
        LiveServer(signals)


def test_a_net_of_several_inputs_is_refused():
    from further_nets import with_meta

    from gradcam_tf1 import GradCamGraph, KeyTensors

    words = "sends images only, and meta:0 need a value with each image"
    tensors = KeyTensors(later=["meta"])
    with GradCamGraph(with_meta(), preset="raw", tensors=tensors) as several, pytest.raises(OptionError, match=words):
        LiveServer(several)


def test_options_are_a_record(net):
    with pytest.raises(OptionError, match="give options=ServeOptions"):
        LiveServer(net, {"port": 0})
