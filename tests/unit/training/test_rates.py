"""Learning rates by depth, in bands and by pattern: the rate of each parameter, and the refused settings."""

import re

import pytest

from modeling_multitask.training.rates import LearningRates
from modeling_multitask.words_multitask import from_words

# Depths of an encoder of three layers: 0 for the embeddings, 1 to 3 for the layers, 4 for the heads.
TOP = 3
DEPTHS = {
    "backbone.embeddings.weight": 0,
    "backbone.layer.0.weight": 1,
    "backbone.layer.1.weight": 2,
    "backbone.layer.2.weight": 3,
    "heads.topic.0.weight": 4,
    "heads.tone.0.weight": 4,
}
HEADS = {name for name in DEPTHS if name.startswith("heads.")}


def rates_of(**settings: object) -> list[float | None]:
    """From the embeddings up to the second head."""
    return [LearningRates(**settings).rate(name, depth, TOP) for name, depth in DEPTHS.items()]


def problem_of(trained: set[str], **settings: object) -> str | None:
    return LearningRates(**settings).problem(DEPTHS, TOP, trained)


def test_each_layer_further_down_has_its_share_of_the_rate_above() -> None:
    assert rates_of(heads=1.0, backbone=0.8, layer_decay=0.5) == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_without_decay_the_encoder_has_one_rate() -> None:
    assert rates_of(heads=1.0, backbone=0.8) == [0.8, 0.8, 0.8, 0.8, 1.0, 1.0]


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [(0, [0.1, 0.5, 0.5, 0.5]), (1, [0.1, 0.1, 0.5, 0.5]), (2, [0.1, 0.1, 0.1, 0.5])],
)
def test_the_boundary_is_the_first_of_the_upper_layers(boundary: int, expected: list[float]) -> None:
    assert rates_of(heads=1.0, upper=0.5, lower=0.1, boundary=boundary) == [*expected, 1.0, 1.0]


def test_the_first_pattern_that_is_found_counts() -> None:
    patterns = {r"layer\.[12]\.": 0.5, r"^backbone\.": 0.25, r"topic": 2.0, ".*": 1.0}

    assert rates_of(patterns=patterns) == [0.25, 0.25, 0.5, 0.5, 2.0, 1.0]


def test_patterns_beside_depths_are_exceptions() -> None:
    rates = rates_of(heads=1.0, backbone=0.8, layer_decay=0.5, patterns={"embeddings": 0.0, r"heads\.tone": 3.0})

    assert rates == [0.0, 0.2, 0.4, 0.8, 1.0, 3.0]


def test_patterns_beside_bands_are_exceptions() -> None:
    rates = rates_of(heads=1.0, upper=0.5, lower=0.1, boundary=1, patterns={"embeddings": 0.0})

    assert rates == [0.0, 0.1, 0.5, 0.5, 1.0, 1.0]


def test_where_only_heads_have_a_rate_the_encoder_has_none() -> None:
    assert rates_of(heads=1.0) == [None, None, None, None, 1.0, 1.0]


def test_where_no_pattern_is_found_there_is_no_rate() -> None:
    assert rates_of(patterns={"heads": 1.0}) == [None, None, None, None, 1.0, 1.0]


@pytest.mark.parametrize(
    "settings",
    [
        {"heads": 1.0},
        {"patterns": {"^heads": 1.0}},
        {"heads": 1.0, "upper": 0.5, "lower": 0.1, "boundary": 0},
        {"heads": 1.0, "backbone": 0.8, "layer_decay": 0.5},
    ],
)
def test_what_does_not_train_needs_no_rate(settings: dict) -> None:
    assert problem_of(HEADS, **settings) is None


@pytest.mark.parametrize("settings", [{"backbone": 1.0}, {"upper": 0.5, "lower": 0.1, "boundary": 1}])
def test_heads_that_do_not_train_need_no_rate(settings: dict) -> None:
    assert problem_of(set(DEPTHS) - HEADS, **settings) is None


@pytest.mark.parametrize(
    ("settings", "lacking"),
    [
        ({"heads": 1.0}, "4 trainable parameters have no rate, such as 'backbone.embeddings.weight'"),
        ({"backbone": 1.0}, "2 trainable parameters have no rate, such as 'heads.topic.0.weight'"),
        ({"upper": 0.5, "lower": 0.1, "boundary": 1}, "2 trainable parameters have no rate, such as 'heads.topic"),
        ({"patterns": {"layer": 1.0, "tone": 1.0}}, "2 trainable parameters have no rate, such as 'backbone.embedd"),
    ],
)
def test_what_trains_without_a_rate_is_named(settings: dict, lacking: str) -> None:
    assert problem_of(set(DEPTHS), **settings).startswith(lacking)


@pytest.mark.parametrize("boundary", [-1, 3])
def test_a_boundary_that_is_no_layer_is_named(boundary: int) -> None:
    problem = problem_of(HEADS, heads=1.0, upper=1.0, lower=1.0, boundary=boundary)

    assert problem == f"boundary is {boundary}; this encoder has the layers 0 to 2"


def test_a_pattern_that_is_found_nowhere_is_named() -> None:
    problem = problem_of(HEADS, heads=1.0, patterns={r"layer\.3": 1.0})

    expected = r"the pattern 'layer\\.3' matches no parameter; parameters have names such as 'backbone.layer.2.weight'"
    assert problem == expected


BANDS = {"upper": 1.0, "lower": 1.0, "boundary": 1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "learning_rates sets no rate; set heads, backbone or patterns"),
        ({"patterns": {}}, "learning_rates sets no rate; set heads, backbone or patterns"),
        (
            {"heads": 1.0, "upper": 0.5},
            "in bands needs all of upper, lower and boundary, .* given: upper 0.5, lower None, boundary None",
        ),
        ({"heads": 1.0, "boundary": 0}, "in bands needs all of upper, lower and boundary, .* boundary 0, backbone"),
        ({"heads": 1.0, **BANDS, "backbone": 0.5}, "in bands needs .* and no backbone; given: .* backbone 0.5"),
        ({"heads": 1.0, "backbone": 1.0, "layer_decay": 0.0}, "layer_decay is 0.0; it must be above 0 and at most 1"),
        ({"heads": 1.0, "backbone": 1.0, "layer_decay": 1.5}, "layer_decay is 1.5; it must be above 0 and at most 1"),
        ({"heads": 1.0, **BANDS, "layer_decay": 0.5}, "layer_decay is 0.5, but backbone is missing; set backbone, or"),
        ({"heads": 1.0, "layer_decay": 0.5}, "layer_decay is 0.5, but backbone is missing; set backbone, or"),
        ({"heads": -1.0, "backbone": 0.0}, "heads is -1.0; it must be at least 0"),
        ({"heads": 1.0, "backbone": -0.1}, "backbone is -0.1; it must be at least 0"),
        ({"heads": 1.0, **BANDS, "lower": -2.0}, "lower is -2.0; it must be at least 0"),
        ({"patterns": {".*": -1.0}}, r"patterns is {'\.\*': -1.0}; each must be at least 0"),
        ({"heads": -1.0, "patterns": {"heads": 1.0}}, "heads is -1.0; it must be at least 0"),
        ({"patterns": {"layer(": 1.0}}, r"learning_rates: 'layer\(' is not a regular expression \(missing \)"),
    ],
)
def test_rates_that_cannot_be_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LearningRates(**settings)


def test_rates_may_be_given_as_a_dict() -> None:
    assert from_words(LearningRates, {"heads": 1.0}, "learning_rates.") == LearningRates(heads=1.0)


def test_rates_that_are_rates_already_are_left_as_they_are() -> None:
    rates = LearningRates(heads=1.0)

    assert from_words(LearningRates, rates, "learning_rates.") is rates


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"head": 1.0}, "learning_rates.head: no such word; did you mean 'heads'?; words here: heads, backbone, "),
        ({"heads": "fast"}, "learning_rates.heads is 'fast'; it must be at least 0"),
        ({"heads": -1.0}, "learning_rates.heads is -1.0; it must be at least 0"),
        (1e-3, "learning_rates is 0.001; it must be a dict of these: heads, backbone, layer_decay, upper, lower, "),
    ],
)
def test_what_is_not_rates_is_refused_with_its_place(given: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        from_words(LearningRates, given, "learning_rates.")
