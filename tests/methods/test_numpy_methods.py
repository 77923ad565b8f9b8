"""Numpy layer methods against other ways to the same numbers, cases worked by hand, and their signs."""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import SmallNet, run

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS, method
from gradcam_tf1.methods.activation import KERNELS

HEADS = ["gap", "flat"]
NAMES = ["eigencam", "eigengradcam", "segeigencam", "fem", "kpcacam"]


def with_defaults(name):
    row = METHODS[name]
    return lambda features, grads=None, **options: row.compute(features, grads, **row.filled(options))


FUNCTIONS = {name: with_defaults(name) for name in NAMES}
eigencam, eigengradcam, segeigencam, fem, kpcacam = FUNCTIONS.values()


def draw(*shape, seed=0):
    return np.random.RandomState(seed).rand(*shape).astype(np.float32)


def maps_of(net, images, class_ids, method, **options):
    return run(net, images, class_ids, [method], **options).maps[method, "features:0"]


def principal_twin(values):
    """The first principal component by the eigenvectors of the covariance, turned to the mean over the channels."""
    matrix = values.reshape(-1, values.shape[-1]).astype(np.float64)
    centred = matrix - matrix.mean(0)
    component = centred @ np.linalg.eigh(centred.T @ centred)[1][:, -1]
    sign = np.sign(np.corrcoef(component, matrix.mean(1))[0, 1])
    return (sign * component).reshape(values.shape[:-1])


def peak_twin(values):
    """The first principal component, turned so that its value farthest from zero is positive."""
    component = principal_twin(values)
    return component * np.sign(component.ravel()[np.abs(component).argmax()])


def kernel_twin(values, kernel):
    """sqrt(l) u of J K J, J = I - 1/n, with K entry by entry."""
    matrix = values.reshape(-1, values.shape[-1]).astype(np.float64)
    points = matrix - matrix.mean(0)
    similarity = np.array([[kernel(x, y) for y in points] for x in points])
    centring = np.eye(len(points)) - 1 / len(points)
    numbers, vectors = np.linalg.eigh(centring @ similarity @ centring)
    component = np.sqrt(numbers[-1]) * vectors[:, -1]
    sign = np.sign(np.corrcoef(component, matrix.mean(1))[0, 1])
    return (sign * component).reshape(values.shape[:-1])


def fem_twin(values, sigmas=2.0):
    result = np.zeros(values.shape[:-1])
    for k in range(values.shape[-1]):
        channel = values[..., k].astype(np.float64)
        deviation = np.sqrt(((channel - channel.mean()) ** 2).mean())
        result[channel > channel.mean() + sigmas * deviation] += channel.mean()
    return result


SIGMOID = lambda x, y: np.tanh(x @ y / len(x) + 1)  # noqa: E731


@pytest.mark.parametrize("head", HEADS)
def test_the_engine_gives_the_twins_of_the_nets_float64_features(head):
    net = SmallNet(head)
    images = net.images(3)
    features = net.forward(images)["features"]
    maps = run(net, images, [0, 3], NAMES).maps
    for n in range(3):
        for t, c in enumerate((0, 3)):
            products = features[n] * net.feature_grads(images, c)[n]
            expected = {
                "eigencam": principal_twin(features[n]),
                "eigengradcam": principal_twin(products),
                "segeigencam": peak_twin(features[n] * np.abs(net.feature_grads(images, c)[n])),
                "fem": fem_twin(features[n]),
                "kpcacam": kernel_twin(features[n], SIGMOID),
            }
            for name, one in expected.items():
                assert one.max() > 1e-3
                np.testing.assert_allclose(
                    maps[name, "features:0"][n, t], np.maximum(one, 0), rtol=1e-3, atol=1e-5, err_msg=name
                )


def test_eigencam_of_one_pattern_is_the_pattern():
    """Features p x v, one map p in proportions v: all channels agree, whatever the sign of v."""
    pattern = draw(5, 7)
    for sign in (1, -1):
        proportions = np.array([0.2, 1.0, 0.5]) * sign
        features = (pattern[..., None] * proportions).astype(np.float32)
        expected = sign * np.linalg.norm(proportions) * (pattern - pattern.mean())
        np.testing.assert_allclose(eigencam(features), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_the_sign_lights_what_is_active(seed):
    random = np.random.RandomState(seed)
    features = random.rand(6, 6, 16)
    features[1:3, 2:5] += 3 * random.rand(16)
    features = features.astype(np.float32)
    blob = np.zeros((6, 6), bool)
    blob[1:3, 2:5] = True
    for one in (eigencam(features), kpcacam(features, kernel="rbf"), kpcacam(features)):
        assert one[blob].min() > one[~blob].max()
    lit = eigengradcam(features, np.full_like(features, 0.3))
    dark = eigengradcam(features, np.full_like(features, -0.3))
    assert lit[blob].min() > lit[~blob].max()
    np.testing.assert_allclose(dark, -lit, atol=1e-5)  # evidence against the class stays dark


def test_fem_by_hand():
    """Nine zeros and a ten: mean 1, deviation 3, so that ten is rare up to 3 sigmas and 0 never is."""
    features = np.zeros((2, 5, 2), np.float32)
    features[1, 3, 0] = 10
    features[..., 1] = 4  # constant: nothing in it is rare
    expected = np.zeros((2, 5))
    expected[1, 3] = 1
    np.testing.assert_allclose(fem(features), expected)
    np.testing.assert_allclose(fem(features, sigmas=2.9), expected)
    np.testing.assert_array_equal(fem(features, sigmas=3.1), 0)


def test_kpca_with_the_linear_kernel_is_eigencam():
    features = draw(4, 5, 9)
    np.testing.assert_allclose(kpcacam(features, kernel="linear"), eigencam(features), atol=1e-8)


def test_every_kernel_entry_by_entry():
    features = draw(3, 5, 4)
    functions = {
        "sigmoid": SIGMOID,
        "linear": lambda x, y: x @ y,
        "rbf": lambda x, y: np.exp(-((x - y) ** 2).sum() / 4),
        "poly": lambda x, y: (x @ y / 4 + 1) ** 3,
    }
    assert set(functions) == set(KERNELS)
    for kernel, function in functions.items():
        np.testing.assert_allclose(kpcacam(features, kernel=kernel), kernel_twin(features, function), atol=1e-9)
    wide = kernel_twin(features, lambda x, y: np.exp(-3 * ((x - y) ** 2).sum()))
    np.testing.assert_allclose(kpcacam(features, kernel="rbf", gamma=3.0), wide, atol=1e-9)


def test_the_polynomial_kernel_is_pca_of_the_monomials():
    """One channel x: (g x y + 1)^3 is the inner product of 1, sqrt(3g) x, sqrt(3) g x^2, g^1.5 x^3."""
    features = draw(3, 6, 1)
    x = features.astype(np.float64).ravel() - features.astype(np.float64).mean()
    gamma = 2.0
    monomials = np.stack(
        [np.ones_like(x), np.sqrt(3 * gamma) * x, np.sqrt(3) * gamma * x**2, gamma**1.5 * x**3], axis=1
    )
    expected = principal_twin(monomials)
    got = kpcacam(features, kernel="poly", gamma=gamma).ravel()
    np.testing.assert_allclose(got * np.sign(got @ expected), expected, atol=1e-9)


@pytest.mark.parametrize(("kernel", "gamma"), [("rbf", -100.0), ("poly", 0.0), ("sigmoid", -1e-9)])
def test_a_gamma_that_makes_no_kernel_is_refused(kernel, gamma):
    """exp(+|x - y|^2) calls far positions alike, and overflows."""
    with pytest.raises(OptionError, match=r"kpcacam\.gamma is a number above 0, not "):
        method("kpcacam", kernel=kernel, gamma=gamma)


def test_a_gamma_that_overflows_is_refused():
    with pytest.raises(OptionError, match=r"the kernel 'poly' is not finite .*; give kpcacam a gamma below 1e\+300"):
        kpcacam(draw(3, 5, 4), kernel="poly", gamma=1e300)


def test_options_reach_numpy_methods():
    net = SmallNet("flat")
    images = net.images(1)
    options = {"kpcacam": {"kernel": "linear"}, "fem": {"sigmas": 0.5}}
    maps = run(net, images, [0], ["kpcacam", "eigencam", "fem"], options=options).maps
    np.testing.assert_allclose(maps["kpcacam", "features:0"], maps["eigencam", "features:0"], atol=1e-5)
    expected = fem_twin(net.forward(images)["features"][0], 0.5)
    np.testing.assert_allclose(maps["fem", "features:0"][0, 0], expected, atol=1e-5)


def test_what_needs_no_gradient_is_the_same_for_every_class():
    net = SmallNet("flat")
    images = net.images(2)
    maps = run(net, images, range(4), NAMES).maps
    for name in ("eigencam", "fem", "kpcacam"):
        found = maps[name, "features:0"]
        np.testing.assert_array_equal(found, found[:, :1].repeat(4, axis=1))
    classes = maps["eigengradcam", "features:0"]
    assert np.abs(classes[:, 0] - classes[:, 1]).max() > 1e-3


@pytest.mark.parametrize("method", NAMES)
def test_channels_first_gives_the_maps_of_channels_last(method):
    net = SmallNet("flat")
    images = net.images(2)
    last, first = (maps_of(net, images, [0, 1], method, channels_first=flag) for flag in (False, True))
    assert np.abs(last).max() > 1e-3
    np.testing.assert_allclose(first, last, atol=1e-5)


@pytest.mark.parametrize("method", NAMES)
def test_signals_and_volumes_give_what_images_of_the_same_positions_give(method):
    features, grads = draw(4, 6, 5), draw(4, 6, 5, seed=1) - 0.5
    compute = FUNCTIONS[method]
    image = compute(features, grads)
    assert image.shape == (4, 6)
    for shape in ((24, 5), (2, 2, 6, 5)):
        one = compute(features.reshape(shape), grads.reshape(shape))
        assert one.shape == shape[:-1]
        np.testing.assert_allclose(one.reshape(4, 6), image, atol=1e-9)


@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 1, 3), (1, 1, 1)], ids=["constant", "one position", "one number"])
@pytest.mark.parametrize("method", NAMES)
def test_nothing_that_differs_is_an_exact_zero(method, shape):
    features = np.broadcast_to(np.array([0.1, 0.7, 1 / 3], np.float32)[: shape[-1]], shape)
    np.testing.assert_array_equal(FUNCTIONS[method](features, features), 0)


def test_products_that_do_not_differ_are_an_exact_zero_too():
    """Products of two float32 have more digits than their sum in float64 has room for."""
    features, grads = np.full((40, 50, 3), 0.1, np.float32), np.full((40, 50, 3), 1 / 3, np.float32)
    np.testing.assert_array_equal(eigengradcam(features, grads), 0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_kernel_makes_a_map_of_rounding(kernel):
    np.testing.assert_array_equal(kpcacam(np.full((6, 7, 3), 0.1, np.float32), kernel=kernel), 0)


def test_no_gradient_is_an_empty_map():
    net = SmallNet("gap")
    net.weights["w4"][:] = 0
    answer = run(net, net.images(1), [0], ["eigengradcam"])
    np.testing.assert_array_equal(answer.maps["eigengradcam", "features:0"], 0)
    assert answer.statuses["eigengradcam", "features:0"][0][0].state == "empty"


def test_segeigencam_counts_evidence_of_both_signs_and_turns_to_the_peak():
    """A one pattern p with a hole at one place: |g| makes the sign of g not count, and the hole is the peak."""
    pattern = np.ones((3, 4))
    pattern[1, 2] = -3
    features = (pattern[..., None] * np.array([1.0, 2.0])).astype(np.float32)
    grads = np.broadcast_to(np.array([0.5, -0.25], np.float32), features.shape)
    expected = np.hypot(0.5, 0.5) * (pattern - pattern.mean())
    assert expected.min() < -expected.max()
    np.testing.assert_allclose(segeigencam(features, grads), -expected, atol=1e-6)
    np.testing.assert_array_equal(segeigencam(features, -grads), segeigencam(features, grads))
    np.testing.assert_allclose(segeigencam(-features, grads), -expected, atol=1e-6)


@pytest.mark.parametrize("method", ["eigencam", "eigengradcam", "segeigencam", "kpcacam"])
def test_overflow_is_reported_not_raised(method):
    net = SmallNet("gap")
    net.weights["b2"][2] = np.inf
    answer = run(net, net.images(1), [0], [method])
    np.testing.assert_array_equal(answer.maps[method, "features:0"], 0)
    assert "weights 'add_1/y' are NaN or infinite" in answer.statuses[method, "features:0"][0][0].reason


def test_a_kernel_that_is_not_there():
    with pytest.raises(OptionError, match="kpcacam.kernel is one of sigmoid, rbf, poly, linear, not 'cosine'; its def"):
        method("kpcacam", kernel="cosine")


def test_too_many_positions_for_a_kernel_matrix():
    with pytest.raises(OptionError, match="the layer has 4160, more than 4096. Name a later layer, or use eigencam"):
        kpcacam(draw(65, 64, 1))
