"""The summary of a study: its intervals and recommendations, and sentences that follow from the numbers."""

import csv
import json
from io import StringIO

import numpy as np
import pytest
from scipy import stats

from modeling_multitask.study.strategies import Strategy, StudyRates, alone, ignored, kept, strategies
from modeling_multitask.study.summary import Estimate, Outcome, Study, estimate, summarise
from modeling_multitask.study.words import (
    frozen_heads_in_words,
    recommendation_in_words,
    study_as_csv,
    study_as_json,
    study_as_markdown,
    table,
    together_in_words,
)

METRICS = {"topic": "macro_f1", "mood": "spearman"}
BEST = Strategy("everything", "everything, one rate", {}, ("topic", "mood"))
CHEAP = Strategy("backbone_frozen", "backbone frozen", {}, ("topic", "mood"))
ALONE = Strategy("topic_alone", "topic alone", {}, ("topic",), candidate=False)


def outcome(seed: int, topic: float, test: float | None = None, *, parameters: int = 1000) -> Outcome:
    """A run in which both tasks have the same figure."""

    def results(value: float) -> dict:
        return {"topic": {"macro_f1": value}, "mood": {"spearman": value}, "score": value}

    splits = {"validation": results(topic)} | ({} if test is None else {"test": results(test)})
    return Outcome(seed, splits, parameters, seconds=10.0 * (1 + seed), cpu_seconds=9.0, memory=500.0 + seed)


def study_of(best: list[float], cheap: list[float]) -> Study:
    """A strategy that trains 1000 parameters, and one that trains 10; by seed their scores."""
    return summarise(
        METRICS,
        [
            (BEST, [outcome(seed, value, value) for seed, value in enumerate(best)]),
            (CHEAP, [outcome(seed, value, value, parameters=10) for seed, value in enumerate(cheap)]),
        ],
    )


@pytest.mark.parametrize("values", [[0.5, 0.7], [0.9, 0.91, 0.95], [0.1, 0.2, 0.4, 0.3]])
def test_an_interval_is_students(values: list[float]) -> None:
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))

    assert estimate(values) == pytest.approx(Estimate(float(np.mean(values)), low, high))


def test_one_seed_has_no_interval_and_no_sign() -> None:
    assert estimate([0.9]) == Estimate(0.9)
    assert estimate([0.9]).sign == 0


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
    run = Outcome(0, {"validation": {"topic": {"macro_f1": 0.9}, "mood": {"rows": 0}, "score": 0.9}})

    assert set(summarise(METRICS, [(BEST, [run])]).rows[0].figures["validation"]) == {"topic", "score"}


def test_the_best_is_recommended_if_the_cheaper_is_clearly_worse() -> None:
    study = study_of([0.90, 0.91, 0.92], [0.70, 0.72, 0.71])

    words = recommendation_in_words(study)

    assert words[0].startswith(
        "Use **everything, one rate**. It has the highest mean score on the validation rows, 0.910"
    )
    assert "All strategies with fewer trained parameters are significantly worse" in words[0]
    assert words[1].startswith("On the test rows, which were not used for this choice, its score is 0.910")


def test_the_cheaper_is_recommended_if_no_difference_can_be_told() -> None:
    study = study_of([0.90, 0.92, 0.94], [0.91, 0.90, 0.94])

    words = recommendation_in_words(study)[0]

    assert study.recommendation is not None
    assert (study.recommendation.strategy, study.recommendation.best) == ("backbone_frozen", "everything")
    assert words.startswith(
        "Use **backbone frozen**. The highest mean score on the validation rows is that of **everything, one rate**"
    )
    assert "0.917, is within this interval" in words
    assert "The paired difference is not significant (-0.003 (-0.041 to +0.035))" in words
    assert "The recommended strategy trains 10 parameters instead of 1,000" in words


def test_the_luck_of_the_split_does_not_make_a_cheaper_one_as_good() -> None:
    """Its mean is within the interval of the best, but it is worse by 0.02 for every seed."""
    study = study_of([0.80, 0.90, 0.95], [0.78, 0.879, 0.931])

    assert study.recommendation is not None
    assert study.recommendation.strategy == "everything"


def test_a_cheaper_one_that_is_best_needs_no_excuse() -> None:
    words = recommendation_in_words(study_of([0.7, 0.71], [0.9, 0.91]))[0]

    assert words.startswith("Use **backbone frozen**. It has the highest mean score")
    assert words.endswith(").")


def test_one_seed_recommends_the_best_and_says_that_it_is_one() -> None:
    words = recommendation_in_words(study_of([0.9], [0.89]))[0]

    assert words.startswith("Use **everything, one rate**.")
    assert "One seed does not show the variation between seeds; use several, such as --seeds 0 1 2." in words


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
    assert "| backbone frozen (1 of 2 runs failed: ValueError: a \\| b) | 0.990" in page
    assert "- backbone frozen, seed 1: ValueError: a \\| b" in page


def test_where_all_failed_nothing_is_recommended() -> None:
    study = summarise(METRICS, [(BEST, [Outcome(0, error="killed")])])

    assert "No recommendation" in study_as_markdown(study)
    assert "| everything, one rate (failed: killed) | – | – | – | – |" in table(study)


@pytest.mark.parametrize(
    ("single", "verdict"),
    [
        ([0.70, 0.71, 0.72], "a paired difference of +0.200 (+0.200 to +0.200): training with the others is better."),
        ([0.99, 0.97, 0.98], "training alone is better."),
        ([0.90, 0.95, 0.88], "not significant."),
    ],
)
def test_whether_learning_together_helped_is_said_by_the_paired_interval(single: list[float], verdict: str) -> None:
    together = [outcome(seed, 0.0, value) for seed, value in enumerate([0.90, 0.91, 0.92])]
    alone_runs = [outcome(seed, 0.0, value) for seed, value in enumerate(single)]

    words = together_in_words(summarise(METRICS, [(BEST, together), (ALONE, alone_runs)]))

    assert len(words) == 1
    assert words[0].startswith("**topic** macro_f1 on the test rows: 0.910 with the others, ")
    assert words[0].endswith(verdict)


def test_without_test_rows_the_comparison_is_on_validation_rows_and_of_one_seed_cannot_tell() -> None:
    words = together_in_words(summarise(METRICS, [(BEST, [outcome(0, 0.9)]), (ALONE, [outcome(0, 0.8)])]))

    assert words == [
        "**topic** macro_f1 on the validation rows: 0.900 with the others, 0.800 alone; "
        "a paired difference of +0.100, from one seed (no significance test)."
    ]


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
        "Head of **topic** frozen, topic macro_f1",
        "Head of **topic** frozen, mood spearman",
    ]
    assert words[0].endswith("keeping the loss is better, because the encoder adapts to this head.")
    assert words[1].endswith("keeping the loss is better.")


def test_the_table_has_a_line_for_each_strategy_and_the_recommended_in_bold() -> None:
    lines = table(study_of([0.90, 0.91], [0.70, 0.71])).splitlines()

    assert lines[0].startswith("| strategy | validation score | validation topic macro_f1 | validation mood spearman |")
    assert lines[0].endswith("| trained parameters | seconds | CPU seconds | memory, MiB |")
    assert lines[2].startswith("| **everything, one rate** | 0.905 (0.841 to 0.969) |")
    assert lines[2].endswith("| 1,000 | 15 | 9 | 501 |")
    assert len(lines) == 4


def test_a_single_task_has_no_score_of_its_own_in_the_table() -> None:
    only = Strategy("everything", "everything", {}, ("topic",))

    assert "score" not in table(summarise({"topic": "macro_f1"}, [(only, [outcome(0, 0.9)])])).splitlines()[0]


def test_the_csv_has_a_line_for_each_figure_and_for_what_failed() -> None:
    study = summarise(METRICS, [(BEST, [outcome(0, 0.9)]), (CHEAP, [Outcome(0, error="killed")])])

    lines = list(csv.DictReader(StringIO(study_as_csv(study))))

    assert [(each["strategy"], each["task"], each["failed"]) for each in lines] == [
        ("everything", "topic", "0"),
        ("everything", "mood", "0"),
        ("everything", "score", "0"),
        ("backbone_frozen", "", "1"),
    ]
    assert (lines[0]["metric"], lines[0]["mean"], lines[0]["low"], lines[0]["seconds"]) == (
        "macro_f1",
        "0.9",
        "",
        "10.0",
    )


def test_the_json_is_plain_and_names_every_part_of_an_interval() -> None:
    content = study_as_json(study_of([0.90, 0.92, 0.94], [0.91, 0.90, 0.94]))

    again = json.loads(json.dumps(content, allow_nan=False))

    assert again == content
    assert again["strategies"][0]["figures"]["test"]["topic"].keys() == {"mean", "low", "high"}
    assert again["recommendation"]["difference"].keys() == {"mean", "low", "high"}
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
    assert single["training.metric_for_best_model"] == "mood_spearman"
    assert single["phases"] == [{"train": ["everything"], "freeze": ["heads.topic"], "weights": {"topic": 0.0}}]


def test_of_three_tasks_ignoring_one_leaves_the_choice_to_the_score() -> None:
    metrics = {**METRICS, "grade": "quadratic_kappa"}

    found = {each.name: each for each in strategies(metrics, layers=6, rates=StudyRates(), steps=80)}

    assert "training.metric_for_best_model" not in found[ignored("topic")].overrides
    assert found[alone("grade")].overrides["phases"][0]["weights"] == {"mood": 0.0, "topic": 0.0}
