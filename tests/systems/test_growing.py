"""A system grows with `start_from`: tasks that are not trained again give bit-identical answers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.run import Run, run_recipe

TEXTS = ["The senator introduced a new bill in the house today.", "Great match.", "word " * 100]
STEP = ("training.max_steps=2", "training.disable_tqdm=true", "report=false", "calibrate=[]")

Grow = Callable[..., Run]


@pytest.fixture
def trained(recipe: Callable[..., Recipe]) -> Run:
    """S0 after two steps."""
    return run_recipe(recipe("s0", *STEP))


@pytest.fixture
def grow(recipe: Callable[..., Recipe], trained: Run, tmp_path: Path) -> Grow:
    """S0 trained on from that model, with other words."""
    words = (f"start_from={trained.folder}", f"output_dir={tmp_path}/grown", *STEP)
    return lambda *changes: run_recipe(recipe("s0", *words, *changes))


def logits(run: Run) -> dict[str, torch.Tensor]:
    """Of all tasks, as the model is after training."""
    batch = run.tokenizer(TEXTS, truncation=True, max_length=32, padding=True, return_tensors="pt")
    with torch.no_grad():
        return dict(run.model.eval()(**batch).logits)


def test_a_task_is_added_from_a_table_of_its_own_and_the_others_answer_bit_by_bit_as_before(
    trained: Run, grow: Grow, tmp_path: Path
) -> None:
    places = ["here", "there"] * 12
    rows = [f"we met {place} on day {i},{place}" for i, place in enumerate(places)]
    (tmp_path / "places.csv").write_text("\n".join(["text,place", *rows]) + "\n")
    kept = "{name: topic, problem_type: single_label_classification}"
    fresh = "{name: place, problem_type: binary_classification}"
    data = f"data={{train: {{path: {tmp_path}/places.csv, labels: {{place: place}}}}, split: {{validation: 0.25}}}}"

    grown = grow(
        f"tasks=[{kept}, {fresh}]", data, "phases=[{train: [heads.place]}]", "calibrate=temperature", "report=true"
    )

    before, after = logits(trained), logits(grown)
    assert list(after) == ["topic", "place"]
    assert torch.equal(after["topic"], before["topic"])
    assert grown.results["validation"]["topic"]["rows"] == 0
    assert grown.results["validation"]["topic"]["verdict"]["outcome"] == "not evaluated"
    assert grown.results["validation"]["score"] == grown.results["validation"]["place"]["macro_f1"]


def test_one_head_is_trained_again_and_the_others_answer_bit_by_bit_as_before(trained: Run, grow: Grow) -> None:
    again = grow("phases=[{train: [heads.sentiment]}]")

    before, after = logits(trained), logits(again)
    assert torch.equal(after["topic"], before["topic"])
    assert not torch.equal(after["sentiment"], before["sentiment"])


def test_a_task_is_dropped_and_the_other_answers_bit_by_bit_as_before(trained: Run, grow: Grow) -> None:
    one = "tasks=[{name: sentiment, problem_type: single_label_classification}]"

    smaller = grow(one, "freeze=everything")

    after = logits(smaller)
    assert list(after) == ["sentiment"]
    assert torch.equal(after["sentiment"], logits(trained)["sentiment"])


def test_a_label_is_renamed_and_nothing_else(trained: Run, grow: Grow) -> None:
    kinds = "tasks=[{name: topic, problem_type: single_label_classification, aliases: {politics: government}}]"

    renamed = grow(kinds, "rename_labels={politics: government}", "freeze=everything")

    assert renamed.model.config.tasks[0].labels == ["government", *trained.model.config.tasks[0].labels[1:]]
    assert torch.equal(logits(renamed)["topic"], logits(trained)["topic"])
