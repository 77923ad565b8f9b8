"""From the parameters of a request to the arguments of `explain`: what is taken, and what is refused."""

from __future__ import annotations

import pytest

from gradcam_tf1 import METHODS, ExplainOptions, Noise, Option, Top, method
from gradcam_tf1.errors import OptionError
from gradcam_tf1.serve.question import Question, largest, read_question


def test_nothing_asks_for_the_best_class_by_gradcam(net):
    assert read_question([], net.binding) == Question(None, [method("gradcam")], None, "logit", ExplainOptions())


def test_everything_that_can_be_asked(net):
    pairs = [("class", "3"), ("class", "ring"), ("method", "positive_negative"), ("method", "finercam")]
    pairs += [("finercam.rivals", "2"), ("layer", "-1"), ("layer", "conv4/Relu"), ("score", "probability")]
    pairs += [("noise", "squaregrad"), ("noise_samples", "7"), ("aug_smooth", "TRUE"), ("eigen_smooth", "0")]
    asked = read_question(pairs, net.binding)
    assert asked.targets == [3, "ring"]
    assert asked.methods == [method("positive"), method("negative"), method("finercam", rivals=2)]
    assert asked.layers == [-1, "conv4/Relu"]
    assert (asked.score, asked.options) == (
        "probability",
        ExplainOptions(noise=Noise("squaregrad", 7), aug_smooth=True),
    )
    assert read_question([("top", "5")], net.binding).targets == Top(5)


REFUSED = [
    ([("clas", "3")], r"no parameter 'clas' \(did you mean class\?\); possible: class, method"),
    ([("nothing.masks", "3")], "no parameter 'nothing.masks'"),
    ([("", "3")], "no parameter ''"),
    ([("x" * 5000, "3")], "no parameter 'x{60}...'"),
    ([("class", "1")] * 6, "class is given 6 times; at most 5"),
    ([("score", "logit")] * 2, "score is given 2 times; at most 1"),
    ([("method", "gradcam")] * 5, "method is given 5 times; at most 4"),
    (
        [("method", m) for m in ("positive_negative", "gradcam", "layercam", "gradient")],
        "5 methods are asked for; at most",
    ),
    ([("class", "1"), ("top", "2")], "class and top are both given"),
    ([("top", "6")], "top is a whole number from 1 to 5, not '6'"),
    ([("top", "1.5")], "top is a whole number from 1 to 5"),
    ([("top", "nan")], "top is a whole number from 1 to 5"),
    ([("rise.masks", "9")], r"rise.masks is given, but not the method; add method=rise"),
    (
        [("method", "rise"), ("rise.masks", "20001")],
        "rise.masks is '20001'; here it is a whole number at least 2 and at most 20000",
    ),
    ([("method", "rise"), ("rise.masks", "1e999")], "rise.masks is '1e999'; here it is"),
    ([("method", "rise"), ("rise.p", "NaN")], "rise.p is 'NaN'; here it is"),
    (
        [("method", "rise"), ("rise.masks", "true")],
        "rise.masks is a whole number at least 2 and at most 1000000, not True",
    ),
    ([("method", "rise"), ("rise.baseline", "[[[0]]]")], "rise.baseline is one number or name here, not a list"),
    ([("method", "rise"), ("rise.baseline", "256")], "rise.baseline is '256'; here it is"),
    ([("method", "rise"), ("rise.other", "1")], "rise does not take 'other'"),
    ([("method", "xrai"), ("xrai.segments", "1")], "xrai.segments is '1'"),
    (
        [("method", "blur_ig"), ("blur_ig.max_sigma", "1e8")],
        "blur_ig.max_sigma is '1e8'; here it is a number above 0 and at most 500",
    ),
    ([("method", "rise"), ("rise.masks", "[" * 100_000)], "the value of rise.masks has 100000 characters; at most 500"),
    (
        [("layer", "conv1/Relu:0 + conv2/Relu:0")],
        r"no layer 'conv1/Relu:0 \+ conv2/Relu:0'; layers are -1 \(the last\) to -5",
    ),
    ([("method", "rise"), ("rise.masks", "[" * 500)], "rise.masks is a whole number at least 2"),
    ([("layer", "-6")], "no layer '-6'"),
    ([("layer", "input:0")], "no layer 'input:0'"),
    ([("score", "likelihood")], "score is 'likelihood'; possible: logit, probability"),
    ([("noise", "white")], "noise is 'white'; possible: smoothgrad"),
    ([("noise_samples", "3")], "noise_samples and noise_level need noise"),
    ([("noise", "vargrad"), ("noise_samples", "201")], "noise_samples is a whole number from 1 to 200"),
    ([("noise", "vargrad"), ("noise_level", "inf")], "noise_level is a number from 0 to 10"),
    ([("noise", "vargrad"), ("noise_level", "loud")], "noise_level is a number from 0 to 10, not 'loud'"),
    ([("aug_smooth", "maybe")], "aug_smooth is true or false, not 'maybe'"),
]


@pytest.mark.parametrize(("pairs", "words"), REFUSED, ids=[str(pairs)[:50] for pairs, _ in REFUSED])
def test_what_cannot_be_asked_is_refused(net, pairs, words):
    with pytest.raises(OptionError, match=words) as refused:
        read_question(pairs, net.binding)
    assert len(str(refused.value)) < 1000


def test_no_number_of_any_method_is_without_a_bound():
    for row in METHODS.values():
        for option in row.options:
            number = option.kind in (int, float) or (option.kind is None and type(option.default) in (int, float))
            assert number == (largest(option) is not None and option.name not in ("baseline", "baselines")), (
                f"{row.name}.{option.name}"
            )
            if number and option.default is not None:
                assert option.default <= largest(option)


def test_options_of_registered_methods_are_bounded_too():
    assert largest(Option("power", 2.0)) == 1_000_000
    assert largest(Option("power", 2.0, high=8)) == 8
