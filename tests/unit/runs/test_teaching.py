"""Training targets from teachers: the mix with the labels, the rows that are trained on, and the cache of answers."""

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, Value
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel, TaskConfig
from modeling_multitask.errors import RecipeError
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.inference.shards import Process
from modeling_multitask.inference.text_encoder import TextEncoder
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.teachers import open_teachers
from modeling_multitask.runs.teaching import Taught, mixed_targets, teach

MOOD = {"name": "mood", "problem_type": "binary_classification", "labels": ["sad", "glad"]}
TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food", "phone"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}
PRICE = {"name": "price", "problem_type": "regression"}
NAN = math.nan


def taught(folder: Path, rows: str, *tasks: dict[str, Any], answers: str = "", **data: Any) -> tuple[Taught, Dataset]:
    """The result of `teach` for rows of a CSV file and recorded answers, and the rows with the targets."""
    (folder / "rows.csv").write_text(rows)
    (folder / "old.csv").write_text(answers)
    train = {"path": str(folder / "rows.csv"), **data.pop("train", {})}
    recipe = load_recipe({"backbone": "some/encoder", "tasks": list(tasks), "data": {"train": train, **data}})
    dataset, configs = build_dataset(recipe)
    teachers = open_teachers(recipe, configs, device=torch.device("cpu"))
    found = teach(recipe, dataset["train"], configs, teachers, process=Process())
    return found, found.targets


def with_teacher(task: dict[str, Any], folder: Path, **words: Any) -> dict[str, Any]:
    return {**task, "teacher": {"model": str(folder / "old.csv"), **words}}


@pytest.mark.parametrize(
    ("own", "answer", "expected"),
    [([0, 1], [0.5, 0.5], [0.375, 0.625]), ([NAN, NAN], [0.5, 0.5], [0.5, 0.5]), ([0, 1], [NAN, NAN], [0, 1])],
    ids=["mix", "no label", "no answer"],
)
def test_a_target_is_a_mix_of_the_label_and_the_answer(own: Any, answer: Any, expected: list[float]) -> None:
    assert mixed_targets(np.array([own]), np.array([answer]), 0.75, TaskConfig(**MOOD)).tolist() == [expected]


def test_numbers_are_mixed_on_the_scale_of_the_loss() -> None:
    task = TaskConfig("price", "regression", transform="log1p")

    found = mixed_targets(np.array([[0.0], [3.0]]), np.array([[-1.0], [0.0]]), 0.5, task)

    assert found[:, 0].tolist() == [0.0, pytest.approx(1.0)]  # the root of 4 times 1, minus 1


def test_the_targets_of_labels_are_soft(tmp_path: Path) -> None:
    answers = "text,sad,glad\na,0.5,0.5\nb,0.125,0.875\nc,1,0\n"

    found, targets = taught(tmp_path, "text,mood\na,glad\nb,\n", with_teacher(MOOD, tmp_path), answers=answers)

    assert targets["mood_distribution"] == [{"sad": 0.25, "glad": 0.75}, {"sad": 0.125, "glad": 0.875}]
    assert (found.rows["mood"], found.counts) == ([1, None], {"mood": 2})


def test_a_row_without_an_answer_keeps_its_label(tmp_path: Path) -> None:
    found, targets = taught(
        tmp_path, "text,mood\na,glad\nb,sad\n", with_teacher(MOOD, tmp_path), answers="text,sad,glad\na,0.5,0.5\n"
    )

    assert targets["mood_distribution"][1] == {"sad": 1.0, "glad": 0.0}
    assert found.counts == {"mood": 1}


def test_a_teacher_that_answers_few_rows_is_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    answers = "text,sad,glad\na,0.5,0.5\n"

    taught(tmp_path, "text,mood\na,glad\nb,sad\n", with_teacher(MOOD, tmp_path), answers=answers)

    assert "task 'mood': its teacher old.csv answers 1 of 2 training rows" in caplog.text


def test_rows_without_any_label_are_trained_on_if_a_teacher_answers_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    rows = "text,mood,topic\na,glad,film\nb,,\nc,,\nd,,food\n"

    found, targets = taught(
        tmp_path, rows, with_teacher(MOOD, tmp_path), TOPIC, answers="text,sad,glad\nb,0.125,0.875\na,0,1\n"
    )

    assert "task 'mood': 1 of 2 labels are never seen" not in caplog.text  # the teacher knows both
    assert found.rows["text"] == targets["text"] == ["a", "b", "d"]
    assert "train: 1 rows without any label are trained on, because a teacher answers them" in caplog.text
    assert targets["mood_distribution"][1:] == [{"sad": 0.125, "glad": 0.875}, None]


def test_rows_of_weight_0_are_not_trained_on(tmp_path: Path) -> None:
    rows, answers = "text,mood,sure\na,glad,1\nb,,0\n", "text,sad,glad\na,0,1\nb,0.2,0.8\n"

    found, _ = taught(tmp_path, rows, with_teacher(MOOD, tmp_path), answers=answers, train={"weight": "sure"})

    assert found.rows["text"] == ["a"]


def test_a_hidden_label_is_not_in_the_target(tmp_path: Path) -> None:
    rows = "text,mood,topic\n" + "".join(f"{i},glad,film\n" for i in range(20))
    answers = "text,sad,glad\n" + "".join(f"{i},0.5,0.5\n" for i in range(20))

    found, targets = taught(
        tmp_path, rows, with_teacher(MOOD, tmp_path), TOPIC, answers=answers, hide_labels={"fraction": 0.5}
    )

    own = np.array([each is not None for each in found.rows["mood"]])
    glad = np.array([each["glad"] for each in targets["mood_distribution"]])
    assert own.any()
    assert not own.all()
    assert glad.tolist() == np.where(own, 0.75, 0.5).tolist()


def test_each_label_of_several_is_mixed_by_itself(tmp_path: Path) -> None:
    rows = "text,long,loud\na,1,\nb,,\n"

    _, targets = taught(
        tmp_path,
        rows,
        with_teacher(TAGS, tmp_path),
        answers="text,tags_long,tags_loud\na,0.5,0.5\nb,0.25,1\n",
        train={"labels": {"tags": ["long", "loud"]}},
    )

    assert targets["tags_distribution"] == [{"long": 0.75, "loud": 0.5}, {"long": 0.25, "loud": 1.0}]


def test_the_targets_of_a_number_are_numbers(tmp_path: Path) -> None:
    found, targets = taught(
        tmp_path, "text,price\na,2\nb,\n", with_teacher(PRICE, tmp_path), answers="text,price\na,4\nb,5\n"
    )

    assert (targets["price"], found.rows["price"]) == ([3.0, 5.0], [2.0, None])


def test_soft_labels_are_mixed_as_well(tmp_path: Path) -> None:
    labels = {"mood": {"soft": {"sad": "no", "glad": "yes"}}}

    _, targets = taught(
        tmp_path,
        "text,no,yes\na,1,3\n",
        with_teacher(MOOD, tmp_path),
        answers="text,sad,glad\na,0.75,0.25\n",
        train={"labels": labels},
    )

    assert targets["mood_distribution"] == [{"sad": 0.5, "glad": 0.5}]


def test_a_task_without_any_label_learns_from_its_teacher_alone(tmp_path: Path) -> None:
    found, targets = taught(
        tmp_path, "text,topic\na,film\nb,food\n", with_teacher(MOOD, tmp_path), TOPIC, answers="text,sad,glad\na,0,1\n"
    )

    assert found.rows["mood"] == [None, None]
    assert targets["mood_distribution"] == [{"sad": 0.0, "glad": 1.0}, None]


@pytest.mark.parametrize(
    ("rows", "asked"),
    [("a,glad,\n", False), ("a,sad,\n", True), ("a,,\n", False), ("a,,film\n", True)],
    ids=["own label", "other label", "answer of the teacher", "has a label"],
)
def test_a_task_learns_no_answer_where_it_is_not_asked(tmp_path: Path, rows: str, asked: bool) -> None:
    given = {**with_teacher(TOPIC, tmp_path), "given": {"task": "mood", "labels": ["sad"]}}
    answers = "text,sad,glad,film,food,phone\na,0.1,0.9,0.5,0.5,0\n"

    _, targets = taught(
        tmp_path, f"text,mood,topic\n{rows}b,sad,food\n", with_teacher(MOOD, tmp_path), given, answers=answers
    )

    assert (targets["topic_distribution"][0] is not None) is asked


def test_the_answers_of_a_model_are_kept_for_the_next_run(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_folder(model, tokenizer, tmp_path / "model")
    task = {**TOPIC, "teacher": str(tmp_path / "model")}
    read: list[int] = []
    run = TextEncoder.run
    monkeypatch.setattr(TextEncoder, "run", lambda self, texts: (read.append(len(texts)), run(self, texts))[1])
    rows = "text,topic\na film,film\ngood soup,\n"

    _, before = taught(tmp_path, rows, task)
    _, after = taught(tmp_path, rows, task)

    assert read == [2]
    assert before["topic_distribution"] == after["topic_distribution"]
    assert sum(after["topic_distribution"][1].values()) == pytest.approx(1, abs=1e-6)  # single precision


def test_another_teacher_in_the_same_folder_is_asked_again(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    # P181
    task, rows = {**TOPIC, "teacher": str(tmp_path / "model")}, "text,topic\na film,\ngood soup,\nbad,film\n"
    save_folder(model, tokenizer, tmp_path / "model")
    _, before = taught(tmp_path, rows, task)
    [bias] = [each for name, each in model.named_parameters() if "heads.topic" in name and each.shape == (3,)]
    bias.data[2] += 5
    shutil.rmtree(tmp_path / "model")
    save_folder(model, tokenizer, tmp_path / "model")

    _, after = taught(tmp_path, rows, task)

    assert after["topic_distribution"][0]["phone"] > before["topic_distribution"][0]["phone"] + 0.1


def test_a_teacher_with_another_tokenizer_is_asked_again(tmp_path: Path, model: MultiTaskModel, backbone: Path) -> None:
    task, rows = {**TOPIC, "teacher": str(tmp_path / "model")}, "text,topic\nA FILM,\nGOOD,\nbad,film\n"
    found = []
    for lower in (True, False):  # the same words
        save_folder(model, AutoTokenizer.from_pretrained(backbone, do_lower_case=lower), tmp_path / "model")
        found.append(taught(tmp_path, rows, task)[1]["topic_distribution"][0])
        shutil.rmtree(tmp_path / "model")

    assert found[0] != found[1]


def test_the_targets_of_labels_are_single_precision_numbers(tmp_path: Path) -> None:
    _, targets = taught(tmp_path, "text,mood\na,glad\n", with_teacher(MOOD, tmp_path), answers="text,sad,glad\na,0,1\n")

    assert targets.features["mood_distribution"] == {"sad": Value("float32"), "glad": Value("float32")}
    assert targets.cache_files


def test_answers_to_no_text_are_an_error_of_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"old\.csv has an answer to none of 1 texts"):
        taught(tmp_path, "text,mood\na,glad\n", with_teacher(MOOD, tmp_path), answers="text,sad,glad\nz,0,1\n")
