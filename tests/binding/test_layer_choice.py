"""The default layer: one that all scores depend on, or several that together lie on every path."""

from __future__ import annotations

import pytest
from branch_nets import (
    conv,
    dense,
    detector,
    ensemble,
    one_by_one,
    placeholder,
    pool,
    pooled,
    streams,
    two_branches,
)

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.binding.json_report import binding_report
from gradcam_tf1.binding.layer_specs import resolve_layer
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Branch, KeyTensors


def classify(x):
    return tf.nn.softmax(dense(pooled(x), 4, "logits"))


def test_branches_with_classes_of_their_own_share_the_trunk(graph):
    two_branches()
    binding = bind(graph)
    assert binding.layer == "trunk/Relu:0"
    assert binding.branches == (
        Branch("scores_a:0", 0, 5, "a/Relu:0"),
        Branch("scores_b:0", 5, 12, "b/Relu:0"),
    )
    assert "classes 0 to 4 from 'a/Relu:0', 5 to 11 from 'b/Relu:0'" in binding.reasons["layer"]
    assert binding.warnings == ()


def test_scales_of_a_detector_share_the_trunk(graph):
    detector()
    binding = bind(graph)
    assert binding.layer == "trunk/Relu:0"
    assert binding.branches == (
        Branch("Reshape:0", 0, 128, "head0/Relu:0", anchors=True),
        Branch("Reshape_1:0", 128, 160, "head1/Relu:0", anchors=True),
    )
    assert "anchors 0 to 127 from 'head0/Relu:0', 128 to 159 from 'head1/Relu:0'" in binding.reasons["layer"]


def test_an_ensemble_has_the_last_map_of_each_net(graph):
    ensemble()
    binding = bind(graph)
    assert binding.layer == "a/Relu:0 + b/Relu:0 + c/Relu:0"
    assert [part.name for part in resolve_layer(graph, binding, binding.layer).parts] == [
        "a/Relu:0",
        "b/Relu:0",
        "c/Relu:0",
    ]
    assert "these 3 together do" in binding.reasons["layer"]
    row = binding_report(binding)["layers"][-1]
    assert (row["name"], row["count"]) == (binding.layer, None)
    assert resolve_layer(graph, binding, -1).parts == ()


def test_streams_have_the_last_map_of_each(graph):
    streams()
    assert bind(graph).layer == "large/Relu:0 + small/Relu:0"


def test_a_small_copy_past_all_layers_is_a_map_of_its_own(graph):
    x = placeholder()
    small = tf.reshape(tf.nn.avg_pool(x, [1, 4, 4, 1], [1, 4, 4, 1], "SAME", name="small"), [-1, 48])
    tf.nn.softmax(dense(tf.concat([pooled(conv(x, 5, "a")), small], 1), 4, "logits"))
    binding = bind(graph)
    assert binding.layer == "a/Relu:0 + small:0" or binding.layer == "small:0 + a/Relu:0"
    assert binding.warnings == ()


def test_a_way_without_any_map_is_said(graph):
    x = placeholder()
    colours = tf.reduce_mean(x, [1, 2], name="colours")
    tf.nn.softmax(dense(tf.concat([pooled(conv(x, 5, "a")), colours], 1, name="both"), 4, "logits"))
    binding = bind(graph)
    assert binding.layer == "a/Relu:0"
    assert [w for w in binding.warnings if "passes no feature map before 'both'" in w]


def residual(x):
    """A skip past two convolutions, squeeze and excitation, an auxiliary head that leads elsewhere."""
    x = conv(x, 6, "stem", seed=1)
    inner = conv(x, 6, "inner", seed=2)
    gate = tf.nn.sigmoid(dense(pooled(inner), 6, "gate", seed=3), name="opened")
    tf.identity(dense(pooled(inner), 3, "auxiliary"), name="other_output")
    return tf.nn.relu(x + inner * gate[:, None, None], name="out")


def dense_block(x):
    x = conv(x, 4, "stem")
    for k in range(3):
        x = tf.concat([x, conv(x, 2, f"layer{k}", seed=k)], 3, name=f"joined{k}")
    return x


def inception(x):
    x = conv(x, 4, "stem")
    return tf.concat([conv(x, 3, f"arm{k}", seed=k, kernel=1 + 2 * k) for k in range(3)], 3, name="mixed")


def decoder(x):
    """U-Net: a path leads from the first map to the last layers past all other maps."""
    high = conv(x, 4, "high", seed=1)
    low = conv(pool(high), 6, "low", seed=2)
    return conv(tf.concat([tf.image.resize_bilinear(low, [16, 16]), high], 3, name="met"), 5, "last", seed=3)


def attention(x):
    """A map computed from the features weighs each position."""
    x = conv(x, 5, "features")
    return x * tf.nn.sigmoid(one_by_one(x, 1, "where"), name="weights")


def gated_by_the_image(x):
    """The gate is computed from the pixels, past the features."""
    gate = tf.nn.sigmoid(dense(pooled(x), 5, "gate"))
    return tf.multiply(conv(x, 5, "features"), gate[:, None, None], name="gated")


NETS = {
    "residual": (residual, "out:0"),
    "dense block": (dense_block, "joined2:0"),
    "inception": (inception, "mixed:0"),
    "decoder": (decoder, "last/Relu:0"),
    "attention": (attention, "features/Relu:0"),
    "gated by the image": (gated_by_the_image, "gated:0"),
    "streams multiplied": (
        lambda x: tf.multiply(conv(x, 5, "a"), conv(x, 5, "b", seed=1), name="product"),
        "product:0",
    ),
    "streams compared": (lambda x: tf.maximum(conv(x, 5, "a"), conv(x, 5, "b", seed=1), name="largest"), "largest:0"),
}


@pytest.mark.parametrize("kind", sorted(NETS))
def test_ways_that_come_together_again(graph, kind):
    build, layer = NETS[kind]
    classify(build(placeholder()))
    binding = bind(graph, requested=KeyTensors(logits="logits/BiasAdd"))
    assert (binding.layer, binding.branches, binding.warnings) == (layer, (), ())


def test_a_skip_from_the_image_that_is_joined_before_the_last_layer(graph):
    x = placeholder()
    classify(conv(tf.concat([conv(x, 4, "a"), x], 3), 5, "last"))
    assert bind(graph).layer == "last/Relu:0"


def test_features_of_several_depths_share_the_first(graph):
    """Maps joined after pooling: the later ones are computed from the first, whose gradient includes theirs."""
    first = conv(placeholder(), 4, "first")
    second = conv(pool(first), 4, "second")
    tf.nn.softmax(dense(tf.concat([pooled(first), pooled(second)], 1), 4, "logits"))
    binding = bind(graph)
    assert binding.layer == "first/Relu:0"
    assert "all scores depend on it" in binding.reasons["layer"]


def test_a_named_layer_past_which_ways_lead_is_bound_and_that_is_said(graph):
    two_branches()
    binding = bind(graph, requested=KeyTensors(layer="a"))
    assert binding.layer == "a/Relu:0"
    assert [w for w in binding.warnings if "all depend on 'trunk/Relu:0'" in w]


def test_several_layers_by_name(graph):
    two_branches()
    binding = bind(graph)
    for spec in ("a/Relu:0 + b/Relu:0", "a+b", "a/Relu + -2", "a + b + a/Relu:0"):
        assert resolve_layer(graph, binding, spec).name == "a/Relu:0 + b/Relu:0"
    assert bind(graph, requested=KeyTensors(layer="a + b")).warnings == ()
    with pytest.raises(
        BindingError, match="'b/Relu:0' is computed from 'trunk/Relu:0', .* count the same evidence twice"
    ):
        resolve_layer(graph, binding, "trunk + b")
    with pytest.raises(BindingError, match="no tensor 'nothing' in the graph"):
        resolve_layer(graph, binding, "a + nothing")


def test_a_net_for_each_class(graph):
    """Every class has its own net: no map is on every path, and each class has its own last map."""
    x = placeholder()
    scores = [dense(pooled(conv(x, 4, name, seed=k)), 1, f"dense_{name}", seed=k) for k, name in enumerate("abc")]
    tf.nn.sigmoid(tf.concat(scores, 1, name="logits"))
    binding = bind(graph)
    assert binding.layer == "a/Relu:0 + b/Relu:0 + c/Relu:0"
    assert [(b.first, b.stop, b.layer) for b in binding.branches] == [
        (0, 1, "a/Relu:0"), (1, 2, "b/Relu:0"), (2, 3, "c/Relu:0")
    ]  # fmt: skip


def test_scores_stacked_one_by_one(graph):
    trunk = conv(placeholder(), 4, "trunk")
    scores = [
        tf.squeeze(dense(pooled(conv(trunk, 4, name, seed=k)), 1, f"dense_{name}"), [1]) for k, name in enumerate("ab")
    ]
    tf.nn.sigmoid(tf.stack(scores, 1, name="logits"))
    binding = bind(graph)
    assert binding.layer == "trunk/Relu:0"
    assert [(b.first, b.stop, b.layer) for b in binding.branches] == [(0, 1, "a/Relu:0"), (1, 2, "b/Relu:0")]


def test_classes_are_followed_through_a_transpose_and_joins_of_joins(graph):
    trunk = conv(placeholder(), 6, "trunk", seed=1)
    heads = [one_by_one(conv(trunk, 4, name, seed=k), 2, f"scores_{name}") for k, name in enumerate("abc")]
    maps = [tf.transpose(head, [0, 3, 1, 2]) for head in heads]
    joined = tf.concat([tf.concat(maps[:2], 1), maps[2]], 1)
    scores = tf.reduce_mean(tf.transpose(joined, [0, 2, 3, 1]) + 1.0, [1, 2], name="logits")
    tf.nn.softmax(scores)
    assert [(b.first, b.stop, b.layer) for b in bind(graph).branches] == [
        (0, 2, "a/Relu:0"), (2, 4, "b/Relu:0"), (4, 6, "c/Relu:0")
    ]  # fmt: skip


def test_parts_of_unknown_length_are_said(graph):
    detector(side=None)
    binding = bind(graph)
    assert (binding.layer, binding.branches) == ("trunk/Relu:0", ())
    assert "'Reshape:0' does not say how many entries it holds" in binding.reasons["branches"]


def test_a_background_score_that_no_map_makes(graph):
    scores = dense(pooled(conv(placeholder(), 4, "a")), 3, "dense")
    tf.nn.softmax(tf.concat([tf.zeros_like(scores)[:, :1], scores], 1, name="logits"))
    binding = bind(graph, requested=KeyTensors(logits="logits"))
    assert [(b.first, b.stop, b.layer) for b in binding.branches] == [(0, 1, ""), (1, 4, "a/Relu:0")]
    assert (binding.layer, binding.warnings) == ("a/Relu:0", ())


def test_one_column_spread_over_the_classes_is_no_branch_of_them(graph):
    """[N, 1] + [4]: the concat before it does not join classes."""
    trunk = conv(placeholder(), 4, "trunk")
    parts = tf.concat([dense(pooled(conv(trunk, 4, name)), 1, f"dense_{name}") for name in "ab"], 1)
    tf.nn.softmax(tf.add(tf.reduce_sum(parts, 1, keepdims=True), [1.0, 2.0, 3.0, 4.0], name="logits"))
    binding = bind(graph, requested=KeyTensors(logits="logits"))
    assert (binding.layer, binding.branches) == ("trunk/Relu:0", ())


def test_a_feature_pyramid_shares_the_finest_level_of_its_trunk(graph):
    """A feature pyramid: levels are added from coarse to fine, each has a head, and all anchors are joined."""
    x = placeholder()
    levels = [conv(x, 4, "level0")]
    for n in (1, 2):
        levels.append(conv(pool(levels[-1]), 4, f"level{n}", seed=n))
    merged, heads = None, []
    for n in (2, 1, 0):
        side = one_by_one(levels[n], 4, f"side{n}", seed=n)
        merged = side if merged is None else tf.image.resize_nearest_neighbor(merged, [16 >> n] * 2) + side
        heads.append(tf.reshape(one_by_one(conv(merged, 4, f"head{n}"), 3, f"scores{n}"), [-1, (16 >> n) ** 2, 3]))
    tf.nn.softmax(tf.concat(heads, 1, name="logits"))
    binding = bind(graph)
    assert binding.layer == "level0/Relu:0"
    assert [(b.first, b.stop, b.layer) for b in binding.branches] == [
        (0, 16, "head2/Relu:0"), (16, 80, "head1/Relu:0"), (80, 336, "head0/Relu:0")
    ]  # fmt: skip


def test_stages_that_look_at_the_scores_of_the_stage_before(graph):
    """A pose net: the scores of two heads are joined with the trunk's features for the next two heads."""
    trunk = conv(placeholder(), 4, "trunk")
    joined = trunk
    for stage in (1, 2):
        heads = [
            one_by_one(conv(joined, 4, f"{n}{stage}", seed=stage), k, f"scores_{n}{stage}")
            for n, k in (("a", 2), ("b", 3))
        ]
        joined = tf.concat([*heads, trunk] if stage == 1 else heads, 3, name=f"joined{stage}")
    binding = bind(graph, requested=KeyTensors(logits="joined2"))
    assert binding.layer == "joined1:0"
    assert [(b.first, b.stop, b.layer) for b in binding.branches] == [(0, 2, "a2/Relu:0"), (2, 5, "b2/Relu:0")]


def test_classes_in_front_of_the_positions(graph):
    """[N, C, h, w], as some segmentation nets output after a Transpose: axis 1 is split, not the columns."""
    trunk = conv(placeholder(), 6, "trunk", seed=1)
    heads = [one_by_one(conv(trunk, 4, name, seed=k), k + 1, f"scores_{name}") for k, name in enumerate("ab")]
    tf.transpose(tf.concat(heads, 3), [0, 3, 1, 2], name="logits")
    binding = bind(graph, requested=KeyTensors(logits="logits"))
    assert [(b.first, b.stop, b.layer, b.anchors) for b in binding.branches] == [
        (0, 1, "a/Relu:0", False), (1, 3, "b/Relu:0", False)
    ]  # fmt: skip
