"""Which heads CAM applies to: those accepted keep CAM's promise, the others are refused with the op in the way."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import GradientError
from gradcam_tf1.methods.layer import cam
from gradcam_tf1.scoring.linear_head import require_cam_head
from gradcam_tf1.scoring.map_layout import MapLayout
from gradcam_tf1.tf_runtime import tf

RANDOM = np.random.RandomState(0)
KERNEL = RANDOM.randn(5, 3).astype(np.float32)
SECOND = RANDOM.randn(3, 3).astype(np.float32)
BIAS = RANDOM.randn(3).astype(np.float32)


def dense(pooled):
    return tf.matmul(pooled, KERNEL) + BIAS


def pointwise(maps, stride=1):
    return tf.nn.bias_add(tf.nn.conv2d(maps, KERNEL[None, None], [1, stride, stride, 1], "VALID"), BIAS)


def mean_and_dense(a):
    return dense(tf.reduce_mean(a, [1, 2]))


def mean_by_negative_axes(a):
    return dense(tf.reduce_mean(a, [-3, -2]))


def kept_dims_then_convolution(a):
    return tf.squeeze(pointwise(tf.reduce_mean(a, [1, 2], keepdims=True)), [1, 2])


def window_of_the_whole_map(a):
    pooled = tf.nn.avg_pool(a, [1, 4, 6, 1], [1, 1, 1, 1], "VALID")
    return dense(tf.reshape(pooled, [-1, 5]))


def larger_window_with_padding(a):
    pooled = tf.nn.avg_pool(a, [1, 9, 9, 1], [1, 9, 9, 1], "SAME")
    return dense(tf.squeeze(pooled, [1, 2]))


def convolution_then_mean(a):
    return tf.reduce_mean(tf.identity(pointwise(a)), [1, 2])


def class_maps(a):
    return pointwise(a)  # the positions are averaged by the scores


def nothing_but_the_mean(a):
    return tf.reduce_mean(a, [1, 2])


def two_dense_layers(a):
    return tf.matmul(mean_and_dense(a), SECOND)


def through_another_layout(a):
    return dense(tf.reduce_mean(tf.transpose(a, [0, 3, 1, 2]), [2, 3]))


def bias_first(a):
    return BIAS + tf.matmul(tf.reduce_mean(a, [1, 2]), KERNEL)


ACCEPTED = [
    mean_and_dense,
    mean_by_negative_axes,
    kept_dims_then_convolution,
    window_of_the_whole_map,
    larger_window_with_padding,
    convolution_then_mean,
    class_maps,
    nothing_but_the_mean,
    two_dense_layers,
    through_another_layout,
    bias_first,
]


def in_half_precision(a):
    pooled = tf.reduce_mean(tf.cast(a, tf.float16), [1, 2])
    return tf.cast(tf.matmul(pooled, KERNEL.astype(np.float16)) + tf.cast(BIAS, tf.float16), tf.float32)


def cast_behind_the_mean(a):
    return tf.cast(tf.matmul(tf.cast(tf.reduce_mean(a, [1, 2]), tf.float64), KERNEL.astype(float)), tf.float32) + BIAS


def quantised(a):
    def fake(x):
        return tf.quantization.fake_quant_with_min_max_args(x, -8.0, 8.0, num_bits=16)

    weights = fake(tf.constant(KERNEL))
    return fake(tf.matmul(fake(tf.reduce_mean(fake(a), [1, 2])), weights) + fake(tf.constant(BIAS)))


def checked(a):
    return tf.check_numerics(dense(tf.ensure_shape(tf.reduce_mean(a, [1, 2]), [None, 5])), "wrong")


ACCEPTED += [in_half_precision, cast_behind_the_mean, quantised, checked]
ROUNDED = {"in_half_precision": 0.02, "quantised": 0.01}


def averaged(logits):
    return tf.reduce_mean(logits, [1, 2]) if logits.shape.rank == 4 else logits


@pytest.mark.parametrize("head", ACCEPTED, ids=lambda head: head.__name__)
def test_the_mean_of_cam_is_the_score_less_its_bias(head):
    """y_c(A) - y_c(0) = mean_ij sum_k W_kc A_k, for any A, so the weights are those of the head."""
    features = RANDOM.randn(2, 4, 6, 5).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.placeholder(tf.float32, [None, 4, 6, 5], name="a")
        logits = tf.identity(head(a), name="logits")
        require_cam_head(logits, a, MapLayout(True))
        scores = averaged(logits)
        for c in range(3):
            maps, y = sess.run([cam(a, tf.gradients(scores[:, c], a)[0]), scores[:, c]], {a: features})
            zero = sess.run(scores[:, c], {a: features * 0})
            assert np.abs(y - zero).min() > 1e-3
            rounding = ROUNDED.get(head.__name__, 1e-4)
            np.testing.assert_allclose(maps.mean((1, 2)), y - zero, rtol=rounding, atol=rounding / 10)
            other = sess.run(cam(a, tf.gradients(scores[:, c], a)[0]), {a: features[:, ::-1]})
            np.testing.assert_allclose(other, maps[:, ::-1], atol=1e-5)  # position by position


def test_channels_first():
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [None, 5, 4, 6], name="a")
        require_cam_head(dense(tf.reduce_mean(a, [2, 3])), a, MapLayout(False))
        with pytest.raises(GradientError, match=r"'wrong' \(Mean\) mixes the positions"):
            require_cam_head(
                tf.matmul(tf.reduce_mean(a, [1, 2], name="wrong"), np.eye(6, dtype=np.float32)), a, MapLayout(False)
            )


def test_one_position_needs_no_average():
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [None, 1, 1, 5], name="a")
        require_cam_head(dense(tf.reshape(a, [-1, 5])), a, MapLayout(True))
        with pytest.raises(GradientError, match=r"came to 'act' \(Relu\)"):
            require_cam_head(dense(tf.nn.relu(tf.reshape(a, [-1, 5]), name="act")), a, MapLayout(True))


def test_a_signal_and_a_volume():
    with tf.Graph().as_default():
        for shape, axes in (([None, 9, 5], [1]), ([None, 2, 3, 4, 5], [1, 2, 3])):
            a = tf.placeholder(tf.float32, shape)
            require_cam_head(dense(tf.reduce_mean(a, axes)), a, MapLayout(True))
            with pytest.raises(GradientError, match=r"\(Max\)"):
                require_cam_head(dense(tf.reduce_max(a, axes)), a, MapLayout(True))


def conditional(a, for_false):
    pooled = tf.reduce_mean(a, [1, 2])
    training = tf.placeholder(tf.bool, [], name="training")
    off, on = tf.raw_ops.Switch(data=pooled, pred=training)
    return dense(tf.raw_ops.Merge(inputs=[for_false(off), on * 2.0], name="joined")[0])


def test_a_dropout_that_is_switched_off_is_passed_over():
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [None, 4, 6, 5], name="a")
        require_cam_head(conditional(a, tf.identity), a, MapLayout(True))
        with pytest.raises(GradientError, match=r"came to 'joined_1' \(Merge\)"):
            require_cam_head(conditional(a, tf.nn.relu), a, MapLayout(True))


def flattened(a):
    return tf.matmul(tf.reshape(a, [-1, 120], name="flat"), RANDOM.randn(120, 3).astype(np.float32))


def spread_kernel(a):
    maps = tf.nn.conv2d(a, RANDOM.randn(3, 3, 5, 3).astype(np.float32), [1, 1, 1, 1], "SAME", name="spread")
    return tf.reduce_mean(maps, [1, 2])


def strided(a):
    return tf.reduce_mean(pointwise(a, stride=2), [1, 2])


def local_pooling(a):
    return mean_and_dense(tf.nn.avg_pool(a, [1, 2, 2, 1], [1, 1, 1, 1], "SAME", name="local"))


def window_that_misses_the_border(a):
    return dense(tf.reshape(tf.nn.avg_pool(a, [1, 3, 5, 1], [1, 9, 9, 1], "VALID", name="small"), [-1, 5]))


def half_a_mean(a):
    return tf.matmul(tf.reshape(tf.reduce_mean(a, [1], name="rows"), [-1, 30]), RANDOM.randn(30, 3).astype(np.float32))


def bent(a):
    return dense(tf.nn.relu(tf.reduce_mean(a, [1, 2]), name="bent"))


def maximum(a):
    return dense(tf.reduce_max(a, [1, 2], name="most"))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (flattened, r"'flat' \(Reshape\) mixes the positions"),
        (spread_kernel, r"'spread' \(Conv2D\) mixes"),
        (strided, r"\(Conv2D\) mixes"),
        (local_pooling, r"'local' \(AvgPool\) mixes"),
        (window_that_misses_the_border, r"'small' \(AvgPool\) mixes"),
        (half_a_mean, r"'rows' \(Mean\) mixes"),
        (bent, r"came to 'bent' \(Relu\)"),
        (maximum, r"came to 'most' \(Max\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_other_heads_are_refused_with_the_op_in_the_way(head, reason):
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [None, 4, 6, 5], name="a")
        logits = tf.identity(head(a), name="logits")
        with pytest.raises(GradientError, match=f"CAM needs a head .* on 'a:0'; .*{reason}"):
            require_cam_head(logits, a, MapLayout(True))


def test_logits_without_an_average():
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [None, 6, 5], name="a")
        with pytest.raises(GradientError, match="no global average lies between it and 'logits:0'"):
            require_cam_head(tf.identity(a, name="logits"), a, MapLayout(True))


def test_an_unknown_size_is_no_global_average():
    """A window of a fixed size covers the whole map for one size of images only."""
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [None, None, None, 5], name="a")
        logits = dense(tf.reshape(tf.nn.avg_pool(a, [1, 4, 6, 1], [1, 1, 1, 1], "VALID", name="fixed"), [-1, 5]))
        with pytest.raises(GradientError, match=r"'fixed' \(AvgPool\) mixes"):
            require_cam_head(logits, a, MapLayout(True))
        require_cam_head(mean_and_dense(a), a, MapLayout(True))
