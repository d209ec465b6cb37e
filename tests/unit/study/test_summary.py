"""The summary of a study: its intervals and recommendations, and sentences that follow from the numbers."""

import csv
import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from scipy.stats import binomtest, sem
from scipy.stats import t as student

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.resampled import TaskAnswers
from modeling_multitask.study.strategies import Strategy, StudyRates, alone, ignored, kept, strategies
from modeling_multitask.study.summary import Estimate, Outcome, Study, summarise
from modeling_multitask.study.words import (
    frozen_heads_in_words,
    recommendation_in_words,
    study_as_csv,
    study_as_json,
    study_as_markdown,
    table,
    together_in_words,
)
from tests.unit.study.outcomes import METRICS, MOOD, ROWS, TOPIC, answered, outcome

BEST = Strategy("everything", "everything, one rate", {}, ("topic", "mood"))
CHEAP = Strategy("backbone_frozen", "backbone frozen", {}, ("topic", "mood"))
ALONE = Strategy("topic_alone", "topic alone", {}, ("topic",), candidate=False)


def study_of(best: list[float], cheap: list[float]) -> Study:
    """A strategy that trains 1000 parameters, and one that trains 10; by seed their scores."""
    return summarise(
        METRICS,
        [
            (BEST, [outcome(seed, value, value) for seed, value in enumerate(best)]),
            (CHEAP, [outcome(seed, value, value, parameters=10) for seed, value in enumerate(cheap)]),
        ],
    )


def figure(*shares: float, rows: int = ROWS, same_rows: bool = False) -> Estimate:
    """The score of a strategy on the validation rows, by the share of right answers of each seed."""
    runs = [outcome(seed, share, rows=rows) for seed, share in enumerate(shares)]
    if same_rows:
        again = [outcome(0, share, rows=rows) for share in shares]
        runs = [replace(each, answers=same.answers) for each, same in zip(runs, again, strict=True)]
    return summarise(METRICS, [(BEST, runs)]).rows[0].figures["validation"]["score"]


def width(estimate: Estimate) -> float:
    """The width of an interval."""
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


@pytest.mark.parametrize("shares", [(0.9,), (0.99, 0.7), (1.0, 1.0), (0.99, 0.6, 0.95), (0.0, 0.02, 0.3)])
def test_an_interval_contains_the_mean_has_a_width_and_stays_in_the_range(shares: tuple[float, ...]) -> None:
    found = figure(*shares, rows=100)

    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.low < found.high


def test_one_seed_has_the_interval_of_a_share_of_its_rows() -> None:
    runs = [(BEST, [outcome(0, 0.8)])]

    found = summarise(METRICS, runs).rows[0].figures["validation"]["topic"]

    wilson = binomtest(round(0.8 * ROWS), ROWS).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=0.004)


def test_two_seeds_have_an_interval_over_the_rows_of_both() -> None:
    assert not figure(0.8, 0.8).over_seeds
    assert width(figure(0.8, 0.8)) == pytest.approx(width(figure(0.8)) / np.sqrt(2), rel=0.1)


def test_seeds_on_the_same_rows_do_not_make_the_interval_smaller() -> None:
    assert width(figure(0.8, 0.8, same_rows=True)) == pytest.approx(width(figure(0.8)), rel=0.1)


def test_three_seeds_that_differ_more_than_their_rows_have_an_interval_of_student() -> None:
    shares = (0.80, 0.90, 0.95)

    found = figure(*shares, rows=5_000)

    low, high = student.interval(0.95, 2, loc=np.mean(shares), scale=sem(shares))
    assert (found.low, found.high) == pytest.approx((low, min(high, 1)), abs=0.015)


def test_the_mean_over_tasks_draws_the_same_rows_for_all_of_them() -> None:
    """Both tasks have their mistakes in the same rows, so the score is as uncertain as one task."""
    figures = summarise(METRICS, [(BEST, [outcome(0, 0.8)])]).rows[0].figures["validation"]

    assert width(figures["score"]) == pytest.approx(width(figures["topic"]))


def test_too_few_rows_have_no_interval() -> None:
    assert figure(0.8, 0.6, rows=5) == Estimate(pytest.approx(0.7), seeds=2)


def test_a_difference_is_resampled_on_the_same_rows() -> None:
    """The mistakes of one strategy are among those of the other."""
    study = summarise(METRICS, [(BEST, [outcome(0, 0.80)]), (ALONE, [outcome(0, 0.79)])])

    assert width(study.together[0].difference) < width(study.rows[0].figures["validation"]["topic"]) / 3


def test_equal_answers_have_a_difference_of_0_with_an_interval() -> None:
    difference = summarise(METRICS, [(BEST, [outcome(0, 0.8)]), (ALONE, [outcome(0, 0.8)])]).together[0].difference

    assert difference.mean == 0
    assert 0 < width(difference) < 0.02


@pytest.mark.parametrize(("low", "high", "sign"), [(0.01, 0.2, 1), (-0.2, -0.01, -1), (-0.1, 0.1, 0), (0.0, 0.1, 0)])
def test_a_difference_has_a_sign_only_if_its_interval_leaves_out_0(low: float, high: float, sign: int) -> None:
    assert Estimate(0.0, low, high).sign == sign


def test_a_row_has_the_mean_score_and_time_and_the_largest_memory() -> None:
    row = study_of([0.8, 0.9], [0.1, 0.2]).row("everything")

    assert row.figures["validation"]["score"].mean == pytest.approx(0.85)
    assert (row.parameters, row.seconds, row.memory, row.seeds) == (1000, 15.0, 501.0, (0, 1))


def test_a_task_alone_has_no_score_since_nobody_trained_the_others() -> None:
    study = summarise(METRICS, [(ALONE, [outcome(0, 0.9)])])

    assert set(study.rows[0].figures["validation"]) == {"topic"}


def test_a_task_without_labelled_rows_has_no_figure() -> None:
    mood = answered(MOOD, 0.9, seed=0)
    mood = mood._replace(labels=np.full_like(mood.labels, -100))
    run = Outcome(0, answers={"validation": [answered(TOPIC, 0.9, seed=0), mood]})

    assert set(summarise(METRICS, [(BEST, [run])]).rows[0].figures["validation"]) == {"topic", "score"}


def test_the_best_is_recommended_if_the_cheaper_is_clearly_worse() -> None:
    study = study_of([0.90, 0.91, 0.92], [0.70, 0.72, 0.71])

    words = recommendation_in_words(study)

    assert words[0].startswith(
        "Use **everything, one rate**. It has the highest mean score on the validation rows, 0.910"
    )
    assert "The other strategy with fewer trained parameters and no failed run is significantly worse" in words[0]
    assert words[1].startswith("On the test rows, which were not used for this choice, its score is 0.910")


def test_the_cheaper_is_recommended_if_no_difference_can_be_told() -> None:
    study = study_of([0.90, 0.92, 0.94], [0.91, 0.90, 0.94])

    words = recommendation_in_words(study)[0]

    assert study.recommendation is not None
    assert (study.recommendation.strategy, study.recommendation.best) == ("backbone_frozen", "everything")
    assert words.startswith(
        "Use **backbone frozen**. The highest mean score on the validation rows is that of **everything, one rate**"
    )
    assert "**backbone frozen** has 0.917 (" in words
    assert "The paired difference is not significant (-0.003 (-0.0" in words
    assert "The recommended strategy trains 10 parameters instead of 1,000" in words


def test_the_luck_of_the_split_does_not_make_a_cheaper_one_as_good() -> None:
    """Its mean is within the interval of the best, but it is worse by 0.008 for every seed."""
    study = study_of([0.80, 0.90, 0.95], [0.792, 0.892, 0.942])

    assert study.recommendation is not None
    assert study.recommendation.strategy == "everything"


def test_a_cheaper_one_that_is_best_needs_no_excuse() -> None:
    words = recommendation_in_words(study_of([0.7, 0.71, 0.7], [0.9, 0.91, 0.9]))[0]

    assert words.startswith("Use **backbone frozen**. It has the highest mean score")
    assert words.endswith(").")


@pytest.mark.parametrize(("seeds", "words"), [(1, "One seed does"), (2, "Two seeds do")])
def test_few_seeds_recommend_by_their_rows_and_say_that_they_are_few(seeds: int, words: str) -> None:
    study = study_of([0.9] * seeds, [0.898] * seeds)

    advice = recommendation_in_words(study)[0]

    assert advice.startswith("Use **backbone frozen**.")
    assert f"{words} not show the variation between seeds; use at least three, such as --seeds 0 1 2." in advice
    assert "leaves out the variation between seeds, which needs at least three seeds." in study_as_markdown(study)


def test_too_few_rows_prefer_no_cheaper_strategy() -> None:
    runs = [(BEST, [outcome(0, 0.8, rows=5)]), (CHEAP, [outcome(0, 0.8, parameters=10, rows=5)])]

    words = recommendation_in_words(summarise(METRICS, runs))[0]

    assert words.startswith("Use **everything, one rate**.")
    assert "too few validation rows to compare it with strategies that train fewer parameters" in words


def test_a_failed_strategy_does_not_count_as_worse() -> None:
    failed = [outcome(0, 0.99, parameters=10), Outcome(1, error="killed"), Outcome(2, error="killed")]
    study = summarise(METRICS, [(BEST, [outcome(seed, 0.5) for seed in range(3)]), (CHEAP, failed)])

    assert "significantly worse" not in recommendation_in_words(study)[0]


def test_a_smaller_error_is_better() -> None:
    """The difference has the sign of the metric, and the words follow what is better."""
    numbers = TaskConfig("topic", "regression", metric="mae")
    labels = np.random.default_rng(0).normal(size=100)
    noise = np.random.default_rng(1).normal(size=100)
    runs = [
        (strategy, [Outcome(0, answers={"test": [TaskAnswers(numbers, labels, labels + error * noise)]})])
        for strategy, error in ((BEST, 0.1), (ALONE, 0.5))
    ]

    words = together_in_words(summarise({"topic": "mae"}, runs))[0]

    assert ": training with the others is better." in words


def test_what_is_there_to_be_compared_is_never_recommended() -> None:
    study = summarise(METRICS, [(ALONE, [outcome(0, 0.99)]), (BEST, [outcome(0, 0.5)])])

    assert study.recommendation is not None
    assert study.recommendation.strategy == "everything"


def test_a_strategy_of_which_a_run_failed_is_shown_with_its_error_and_not_recommended() -> None:
    runs = [outcome(0, 0.99), Outcome(1, error="ValueError: a | b")]
    study = summarise(METRICS, [(CHEAP, runs), (BEST, [outcome(0, 0.5), outcome(1, 0.5)])])

    page = study_as_markdown(study)

    assert "Use **everything, one rate**." in page
    assert "Not considered, because a run failed: backbone frozen." in page
    assert "| backbone frozen (1 of 2 runs failed: ValueError: a \\| b) | 0.990 (" in page
    assert "- backbone frozen, seed 1: ValueError: a \\| b" in page


def test_where_all_failed_nothing_is_recommended() -> None:
    study = summarise(METRICS, [(BEST, [Outcome(0, error="killed")])])

    assert "No recommendation" in study_as_markdown(study)
    assert "| everything, one rate (failed: killed) | – | – | – | – |" in table(study)


@pytest.mark.parametrize(
    ("single", "verdict"),
    [
        ([0.70, 0.71, 0.72], "): training with the others is better."),
        ([0.99, 0.97, 0.98], "training alone is better."),
        ([0.90, 0.95, 0.88], "not significant."),
    ],
)
def test_whether_learning_together_helped_is_said_by_the_paired_interval(single: list[float], verdict: str) -> None:
    together = [outcome(seed, 0.0, value) for seed, value in enumerate([0.90, 0.91, 0.92])]
    alone_runs = [outcome(seed, 0.0, value) for seed, value in enumerate(single)]

    words = together_in_words(summarise(METRICS, [(BEST, together), (ALONE, alone_runs)]))

    assert len(words) == 1
    assert words[0].startswith("**topic** accuracy on the test rows: 0.910 with the others, ")
    assert words[0].endswith(verdict)


def test_without_test_rows_the_comparison_is_on_validation_rows_and_of_one_seed_is_about_its_models() -> None:
    words = together_in_words(summarise(METRICS, [(BEST, [outcome(0, 0.9)]), (ALONE, [outcome(0, 0.8)])]))

    assert words[0].startswith(
        "**topic** accuracy on the validation rows: 0.900 with the others, 0.800 alone; a paired difference of +0.100 ("
    )
    assert words[0].endswith(") for the models of this seed: training with the others is better.")


def test_seeds_are_paired_and_one_that_failed_is_left_out() -> None:
    together = [outcome(0, 0.9), Outcome(1, error="killed"), outcome(2, 0.5)]
    alone_runs = [outcome(seed, value) for seed, value in enumerate([0.8, 0.1, 0.4])]

    study = summarise(METRICS, [(BEST, together), (ALONE, alone_runs)])

    assert study.together[0].difference.mean == pytest.approx(0.1)


def test_a_frozen_heads_loss_is_told_for_its_own_task_and_the_other() -> None:
    both = ("topic", "mood")
    with_loss = Strategy(kept("topic"), "kept", {}, both, candidate=False)
    without = Strategy(ignored("topic"), "ignored", {}, both, candidate=False)
    runs = [
        (with_loss, [outcome(0, 0, 0.9), outcome(1, 0, 0.91)]),
        (without, [outcome(0, 0, 0.3), outcome(1, 0, 0.31)]),
    ]

    words = frozen_heads_in_words(summarise(METRICS, runs))

    assert [each.partition(" on ")[0] for each in words] == [
        "Head of **topic** frozen, topic accuracy",
        "Head of **topic** frozen, mood accuracy",
    ]
    assert words[0].endswith("keeping the loss is better, because the encoder adapts to this head.")
    assert words[1].endswith("keeping the loss is better.")


def test_the_table_has_a_line_for_each_strategy_and_the_recommended_in_bold() -> None:
    lines = table(study_of([0.90, 0.91], [0.70, 0.71])).splitlines()

    assert lines[0].startswith("| strategy | validation score | validation topic accuracy | validation mood accuracy |")
    assert lines[0].endswith("| trained parameters | seconds | CPU seconds | memory, MiB |")
    assert lines[2].startswith("| **everything, one rate** | 0.905 (0.89")
    assert lines[2].endswith("| 1,000 | 15 | 9 | 501 |")
    assert len(lines) == 4


def test_a_single_task_has_no_score_of_its_own_in_the_table() -> None:
    only = Strategy("everything", "everything", {}, ("topic",))

    assert "score" not in table(summarise({"topic": "accuracy"}, [(only, [outcome(0, 0.9)])])).splitlines()[0]


def test_the_csv_has_a_line_for_each_figure_and_for_what_failed() -> None:
    study = summarise(METRICS, [(BEST, [outcome(0, 0.9)]), (CHEAP, [Outcome(0, error="killed")])])

    lines = list(csv.DictReader(StringIO(study_as_csv(study))))

    assert [(each["strategy"], each["task"], each["failed"]) for each in lines] == [
        ("everything", "topic", "0"),
        ("everything", "mood", "0"),
        ("everything", "score", "0"),
        ("backbone_frozen", "", "1"),
    ]
    assert (lines[0]["metric"], lines[0]["mean"], lines[0]["seconds"]) == ("accuracy", "0.9", "10.0")
    assert 0.87 < float(lines[0]["low"]) < 0.9 < float(lines[0]["high"]) < 0.93


def test_the_json_is_plain_and_names_every_part_of_an_interval() -> None:
    content = study_as_json(study_of([0.90, 0.92, 0.94], [0.91, 0.90, 0.94]))

    again = json.loads(json.dumps(content, allow_nan=False))

    assert again == content
    assert again["strategies"][0]["figures"]["test"]["topic"].keys() == {"mean", "low", "high", "seeds"}
    assert again["recommendation"]["difference"].keys() == {"mean", "low", "high", "seeds"}
    assert again["words"]["recommendation"][0].startswith("Use **backbone frozen**.")


def test_all_ways_of_training_are_there() -> None:
    names = [each.name for each in strategies(METRICS, layers=6, rates=StudyRates(), steps=80)]

    assert names == [
        "everything_frozen",
        "backbone_frozen",
        "last_2_layers",
        "last_4_layers",
        "everything",
        "layer_wise_rates",
        "gradual_unfreezing",
        "lora",
        kept("topic"),
        ignored("topic"),
        kept("mood"),
        ignored("mood"),
        alone("topic"),
        alone("mood"),
    ]


def test_where_nothing_trains_nothing_is_averaged() -> None:
    # The recipe of a study may have an average, which `freeze: everything` does not allow.
    found = {each.name: each.overrides for each in strategies(METRICS, layers=6, rates=StudyRates(), steps=80)}

    assert [name for name, words in found.items() if "average" in words] == ["everything_frozen"]
    assert found["everything_frozen"]["average"] is None


def test_one_task_has_neither_others_to_ignore_nor_a_company_to_leave() -> None:
    found = strategies({"topic": "macro_f1"}, layers=6, rates=StudyRates(), steps=80)

    assert all(each.candidate for each in found)


@pytest.mark.parametrize(
    ("layers", "names"),
    [(1, []), (2, ["last_1_layers"]), (3, ["last_2_layers"]), (12, ["last_2_layers", "last_8_layers"])],
)
def test_the_last_layers_are_two_and_two_thirds_but_never_all(layers: int, names: list[str]) -> None:
    found = strategies(METRICS, layers, StudyRates(), 80)

    assert [each.name for each in found if each.name.startswith("last_")] == names


def test_gradual_unfreezing_goes_from_the_heads_down_in_stages_of_one_length() -> None:
    found = {each.name: each for each in strategies(METRICS, layers=6, rates=StudyRates(), steps=80)}

    assert found["gradual_unfreezing"].overrides["phases"] == [
        {"train": ["heads"], "until": "step 20"},
        {"train": ["heads", "layers.4-5"], "until": "step 40"},
        {"train": ["heads", "layers.2-5"], "until": "step 60"},
        {"train": ["everything"]},
    ]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_gradual_unfreezing_of_few_steps_has_no_stage_without_one(steps: int) -> None:
    found = {each.name: each for each in strategies(METRICS, layers=6, rates=StudyRates(), steps=steps)}

    phases = found["gradual_unfreezing"].overrides["phases"]

    assert [phase.get("until") for phase in phases] == [*(f"step {i}" for i in range(1, steps)), None]


def test_adapters_get_ten_times_the_rate_of_the_encoder() -> None:
    found = {each.name: each for each in strategies(METRICS, 6, StudyRates(heads=1e-3, backbone=2e-5), 80)}

    assert found["lora"].overrides["learning_rates"] == pytest.approx({"heads": 1e-3, "backbone": 2e-4})


def test_a_task_alone_is_what_ignoring_the_only_other_is_and_its_own_metric_chooses_the_checkpoint() -> None:
    found = {each.name: each for each in strategies(METRICS, layers=6, rates=StudyRates(), steps=80)}

    single = found[alone("mood")].overrides

    assert single == found[ignored("topic")].overrides
    assert single["training.metric_for_best_model"] == "mood_accuracy"
    assert single["phases"] == [{"train": ["everything"], "freeze": ["heads.topic"], "weights": {"topic": 0.0}}]


def test_of_three_tasks_ignoring_one_leaves_the_choice_to_the_score() -> None:
    metrics = {**METRICS, "grade": "quadratic_kappa"}

    found = {each.name: each for each in strategies(metrics, layers=6, rates=StudyRates(), steps=80)}

    assert "training.metric_for_best_model" not in found[ignored("topic")].overrides
    assert found[alone("grade")].overrides["phases"][0]["weights"] == {"mood": 0.0, "topic": 0.0}
