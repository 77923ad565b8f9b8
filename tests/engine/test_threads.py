"""Several threads on one net: each gets what it would have got alone, also when another one closes the net."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from looping_nets import PHOTOS, loop_net, mapped, straight

from gradcam_tf1.errors import ClosedError, TimeLimitError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

METHODS = ("gradcam", "gradient", "guided_backprop", "shapleycam", "hirescam", "eigengradcam")


def opened(graph_def):
    return GradCamGraph(graph_def, input="x", logits="logits", layer="two", preset="raw")


def all_at_once(works):
    """What each function returned or raised, after they were started together."""
    barrier = threading.Barrier(len(works))
    found = [None] * len(works)

    def run(number):
        barrier.wait()
        try:
            found[number] = works[number]()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    return found


@pytest.mark.parametrize("start", [straight, mapped])
def test_six_threads_that_each_ask_a_new_method_first(start):
    graph_def = loop_net(start)
    with opened(graph_def) as net:
        expected = [net.explain(PHOTOS, 1, method)[method] for method in METHODS]
    for _ in range(3):
        with opened(graph_def) as net:
            found = all_at_once([lambda m=m: net.explain(PHOTOS, 1, m)[m] for m in METHODS])
            for name, maps, wanted in zip(METHODS, found, expected):
                np.testing.assert_allclose(maps, wanted, rtol=1e-4, atol=1e-6, err_msg=name)
            assert net.graph.finalized


def test_threads_with_targets_layers_and_failures_of_their_own():
    graph_def = loop_net(straight, v2=False)
    with opened(graph_def) as net:
        expected = {
            (t, at): net.explain(PHOTOS, t, "layercam", at)["layercam"] for t in range(3) for at in ("one", "two")
        }
        wanted = net.usable_methods(["gradient", "cam"], "one")
    with opened(graph_def) as net:
        works = [lambda k=key: net.explain(PHOTOS, k[0], "layercam", k[1])["layercam"] for key in expected]
        works += [lambda: net.usable_methods(["gradient", "cam"], "one")] * 2
        *found, usable, again = all_at_once(works)
    assert usable == again == wanted
    for (key, maps), other in zip(expected.items(), found):
        np.testing.assert_allclose(other, maps, rtol=1e-4, atol=1e-6, err_msg=str(key))


def test_a_net_is_bound_once_by_whichever_thread_comes_first():
    bound = []

    class Net(GradCamGraph):
        def fetch_key_tensors(self):
            bound.append(threading.get_ident())
            time.sleep(0.05)
            return super().fetch_key_tensors()

    with Net(loop_net(straight), preset="raw") as net:
        names = all_at_once([lambda: net.binding.logits] * 4)
    assert (len(bound), set(names)) == (1, {"logits:0"})


def test_a_time_limit_is_that_of_its_own_thread():
    with opened(loop_net(straight)) as net:
        net.explain(PHOTOS, 1)

        def limited():
            with net.time_limit(1e-6):
                time.sleep(0.1)
                return net.explain(PHOTOS, 1)

        def free():
            time.sleep(0.05)
            return net.explain(PHOTOS, 1)["gradcam"].shape

        found = all_at_once([limited, free])
    assert isinstance(found[0], TimeLimitError)
    assert found[1] == (2, 1, 4, 4)


def slow_net():
    """Logits behind a loop of some seconds."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        a = tf.nn.relu(tf.nn.conv2d(x, np.ones((3, 3, 3, 3), "f"), [1, 1, 1, 1], "SAME"), name="two")
        big = tf.random.normal([600, 600], seed=1)
        turns = tf.while_loop(lambda i, m: i < 4000, lambda i, m: (i + 1, tf.tanh(tf.matmul(m, m))), [0, big])[1]
        nothing = 0 * tf.reduce_mean(tf.ensure_shape(tf.stop_gradient(turns), [600, 600]))
        tf.add(tf.reduce_mean(a, [1, 2]), nothing, name="logits")
    return graph.as_graph_def()


def test_who_asks_while_another_thread_closes_gets_our_own_error():
    with opened(slow_net()) as net:
        net.binding  # noqa: B018 - bound before

        def close():
            time.sleep(1)
            net.close()

        *found, _ = all_at_once([lambda: net.explain(PHOTOS, 1, "gradient")] * 2 + [close])
    assert [type(error) for error in found] == [ClosedError] * 2, found


def test_closing_again_and_again_in_the_middle_of_many_requests():
    graph_def = loop_net(mapped)
    for turn in range(4):
        with opened(graph_def) as net:

            def close(wait=0.1 * turn, net=net):
                time.sleep(wait)
                net.close()

            works = [lambda m=m, net=net: [net.explain(PHOTOS, 1, m)[m].shape for _ in range(40)] for m in METHODS[:3]]
            *found, closed = all_at_once([*works, close])
        assert closed is None
        assert all(isinstance(one, (list, ClosedError)) for one in found), found
        assert any(isinstance(one, ClosedError) for one in found)


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_closed_net_says_so(asked_before):
    net = opened(loop_net(straight))
    if asked_before:
        net.explain(PHOTOS, 1)
    net.close()
    net.close()
    for ask in (
        lambda: net.explain(PHOTOS, 1),
        lambda: net.explain(PHOTOS, 1, "gradient"),
        lambda: net.usable_methods(["deconvnet"]),
    ):
        with pytest.raises(ClosedError, match="the net is closed; open it again"):
            ask()
