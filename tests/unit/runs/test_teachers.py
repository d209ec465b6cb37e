"""The teachers of a recipe: how they are opened and matched with their tasks, and their answers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertForSequenceClassification, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel, TaskConfig
from modeling_multitask.errors import RecipeError
from modeling_multitask.inference import predict
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.teachers import TaskTeacher, ask, open_teachers, shown_name, sources_of
from tests.conftest import tasks_of_each_type, tiny_bert_config

TEXTS = ["the film was good", "soup", "a very boring plot", "the phone is broken"]
TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["phone", "film", "food"]}
SENTIMENT = {"name": "sentiment", "problem_type": "binary_classification", "labels": ["positive", "negative"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["loud", "long"]}
RATING = {"name": "rating", "problem_type": "regression"}
GRADE = {"name": "grade", "problem_type": "ordinal_regression", "labels": ["poor", "fair", "fine"]}


@pytest.fixture(autouse=True)
def _the_same_arithmetic_on_every_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_multitask.inference.classifiers.fast_dtype", lambda device: torch.float32)


@pytest.fixture
def folder(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """A folder with a random model that has a task of each type."""
    save_folder(model, tokenizer, tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def classifier(tmp_path: Path, backbone: Path) -> Any:
    """Write a random classifier of transformers with these settings."""

    def write(**settings: Any) -> str:
        BertForSequenceClassification(tiny_bert_config(**settings)).save_pretrained(tmp_path / "classifier")
        AutoTokenizer.from_pretrained(backbone).save_pretrained(tmp_path / "classifier")
        return str(tmp_path / "classifier")

    return write


def opened(*tasks: dict[str, Any], teacher: Any) -> list[TaskTeacher]:
    words = [{**task, "teacher": teacher} for task in tasks]
    recipe = load_recipe({"backbone": "some/encoder", "tasks": words, "data": {"train": "rows.csv"}})
    return open_teachers(recipe, [TaskConfig(**task) for task in tasks], device=torch.device("cpu"))


def problem(task: dict[str, Any], teacher: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        opened(task, teacher=teacher)
    return caught.value.problems[0]


def scores(folder: str, task: str, labels: list[str]) -> list[list[float]]:
    """The scores of labels in the answers of `predict`."""
    rows = predict(folder, TEXTS, top_k=None, tasks=[task])
    return [[{each["label"]: each["score"] for each in row[task]}[label] for label in labels] for row in rows]


@pytest.mark.parametrize("task", [TOPIC, SENTIMENT, TAGS, GRADE], ids=lambda task: task["name"])
def test_the_answers_of_a_model_are_the_scores_of_the_labels_by_name(folder: str, task: dict[str, Any]) -> None:
    found = ask(opened(task, teacher=folder), TEXTS)[task["name"]]

    np.testing.assert_allclose(found, scores(folder, task["name"], task["labels"]), atol=1e-6)


def test_the_answers_to_a_number_are_numbers(folder: str) -> None:
    found = ask(opened(RATING, teacher=folder), TEXTS)["rating"]

    assert found[:, 0].tolist() == [
        pytest.approx(each["rating"]["score"], abs=1e-6) for each in predict(folder, TEXTS, tasks=["rating"])
    ]


def test_a_model_that_teaches_several_tasks_is_loaded_once(folder: str) -> None:
    first, second = opened(TOPIC, TAGS, teacher=folder)

    assert first.source is second.source


def test_a_teachers_task_may_have_another_name(folder: str) -> None:
    mood = {**SENTIMENT, "name": "mood"}

    found = ask(opened(mood, teacher={"model": folder, "task": "sentiment"}), TEXTS)["mood"]

    np.testing.assert_allclose(found, scores(folder, "sentiment", SENTIMENT["labels"]), atol=1e-6)


def test_the_probabilities_of_labels_with_one_new_name_are_added(folder: str) -> None:
    mood = {"name": "mood", "problem_type": "binary_classification", "labels": ["no", "yes"]}
    labels = {"film": "no", "food": "yes", "phone": "yes"}

    found = ask(opened(mood, teacher={"model": folder, "task": "topic", "labels": labels}), TEXTS)["mood"]

    expected = np.array(scores(folder, "topic", ["film", "food", "phone"]))
    np.testing.assert_allclose(found, np.stack([expected[:, 0], expected[:, 1] + expected[:, 2]], axis=1), atol=1e-6)


def test_a_model_has_no_answer_where_its_task_is_not_asked(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    tasks = tasks_of_each_type()
    tasks[3]["given"] = {"task": "sentiment", "labels": ["positive"]}
    model = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks, max_length=16)).eval()
    save_folder(model, tokenizer, tmp_path / "model")

    found = ask(opened(RATING, teacher=str(tmp_path / "model")), TEXTS)["rating"]

    answers = predict(str(tmp_path / "model"), TEXTS, tasks=["rating"])
    assert np.isnan(found[:, 0]).tolist() == [each["rating"]["score"] is None for each in answers]


@pytest.mark.parametrize(("labels", "threshold"), [(["negative", "positive"], 0.9), (["positive", "negative"], 0.1)])
def test_a_teacher_decides_with_its_own_thresholds(folder: str, labels: list[str], threshold: float) -> None:
    model = MultiTaskModel.from_pretrained(folder)
    model.config.tasks[1] = replace(model.config.tasks[1], thresholds=[0.9])
    model.save_pretrained(folder)

    [teacher] = opened({**SENTIMENT, "labels": labels}, teacher=folder)

    assert teacher.deciding.thresholds == [pytest.approx(threshold)]


def test_the_answers_of_a_classifier_are_its_probabilities_by_name(classifier: Any) -> None:
    path = classifier(id2label={0: "film", 1: "food", 2: "phone"})

    [teacher] = opened(TOPIC, teacher=path)

    logits = torch.from_numpy(teacher.source.source.classifier.logits(TEXTS))  # type: ignore[attr-defined]
    np.testing.assert_allclose(ask([teacher], TEXTS)["topic"], logits.softmax(dim=-1)[:, [2, 0, 1]], atol=1e-6)


def test_the_labels_of_a_classifier_may_be_renamed(classifier: Any) -> None:
    words = {"model": classifier(num_labels=2), "labels": {"LABEL_0": "negative", "LABEL_1": "positive"}}

    [teacher] = opened(SENTIMENT, teacher=words)

    assert teacher.places is not None
    assert teacher.places.tolist() == [[0, 1], [1, 0]]


def test_a_classifier_of_several_labels_gives_a_probability_for_each(classifier: Any) -> None:
    path = classifier(id2label={0: "long", 1: "loud"}, problem_type="multi_label_classification")

    [teacher] = opened(TAGS, teacher=path)

    logits = torch.from_numpy(teacher.source.source.classifier.logits(TEXTS))  # type: ignore[attr-defined]
    np.testing.assert_allclose(ask([teacher], TEXTS)["tags"], logits.sigmoid()[:, [1, 0]], atol=1e-6)


def test_a_classifier_with_one_output_gives_a_number(classifier: Any) -> None:
    [teacher] = opened(RATING, teacher=classifier(num_labels=1))

    np.testing.assert_allclose(
        ask([teacher], TEXTS)["rating"],
        teacher.source.source.classifier.logits(TEXTS),  # type: ignore[attr-defined]
        atol=1e-6,
    )


def test_recorded_answers_are_matched_by_name(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("body,no,yes\nsoup,0.25,0.75\n")
    words = {"model": str(tmp_path / "old.csv"), "text": "body", "labels": {"no": "negative", "yes": "positive"}}

    assert ask(opened(SENTIMENT, teacher=words), ["soup"])["sentiment"].tolist() == [[0.75, 0.25]]


def test_tables_are_read_before_models_are_asked(folder: str, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("text,negative,positive\nsoup,0.25,0.75\n")
    teachers = [*opened(TOPIC, teacher=folder), *opened(SENTIMENT, teacher=str(tmp_path / "old.csv"))]

    assert [each.name for each in sources_of(teachers)] == ["old.csv", shown_name(folder)]


def test_a_teacher_without_the_task_is_refused(folder: str) -> None:
    assert problem({**TOPIC, "name": "topics"}, folder) == (
        "tasks[0].teacher: the teacher has no task 'topics'; its tasks are 'topic', 'sentiment', 'tags', 'rating', "
        "'grade'; did you mean 'topic'?; name one: teacher: {model: ..., task: ...}"
    )


def test_labels_that_do_not_match_are_listed(classifier: Any) -> None:
    assert problem(SENTIMENT, classifier(num_labels=2)) == (
        "tasks[0].teacher: the labels of the teacher are 'LABEL_0', 'LABEL_1', and those of the task 'sentiment' are "
        "'positive', 'negative'; the teacher lacks 'positive', 'negative'; name the task's label for 'LABEL_0', "
        "'LABEL_1': teacher: {model: ..., labels: {LABEL_0: ..., LABEL_1: ...}}"
    )


def test_labels_that_the_teacher_lacks_are_named(classifier: Any) -> None:
    path = classifier(id2label={0: "film", 1: "food"})

    assert problem(TOPIC, path).endswith(
        "; the teacher lacks 'phone'; if it has another name for it, write teacher: {model: ..., labels: {OLD: "
        "phone}}, or else leave the label out of the task, or choose a teacher that knows it"
    )


def test_a_classifier_of_transformers_has_no_named_task(classifier: Any) -> None:
    teacher = {"model": classifier(id2label={0: "film", 1: "food", 2: "phone"}), "task": "topic"}

    assert problem(TOPIC, teacher) == (
        "tasks[0].teacher: task: a classifier of transformers has only one task, without a name; leave task out"
    )


def test_only_the_answers_that_are_needed_are_computed(folder: str) -> None:
    [teacher] = opened(TAGS, teacher=folder)

    assert [keys for _, _, keys in sources_of([teacher])] == [["tags"]]
    assert list(teacher.source.answers(TEXTS, ["tags"])) == ["tags"]


def test_a_renamed_label_that_the_teacher_lacks_is_refused(folder: str) -> None:
    assert problem(SENTIMENT, {"model": folder, "labels": {"good": "positive"}}) == (
        "tasks[0].teacher: labels: the teacher has no label 'good'; its labels are 'negative', 'positive'"
    )


def test_several_labels_cannot_become_one_where_each_is_asked(folder: str) -> None:
    loud = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["loud"]}

    assert problem(loud, {"model": folder, "labels": {"long": "loud"}}) == (
        "tasks[0].teacher: labels: several labels of the teacher become one, which needs a task with one label per row"
    )


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (
            {**TAGS, "name": "topic"},
            "one label for each text, and multi_label_classification needs any number of labels",
        ),
        ({**RATING, "name": "tags"}, "any number of labels, and regression needs a number"),
        ({**TOPIC, "name": "rating"}, "a number, and single_label_classification needs one label for each text"),
    ],
)
def test_a_teacher_with_another_form_of_answer_is_refused(folder: str, task: dict[str, Any], words: str) -> None:
    assert problem(task, folder) == f"tasks[0].teacher: the teacher answers with {words}"


def test_the_folder_of_a_run_names_the_model_in_it(folder: str) -> None:
    assert problem(TOPIC, str(Path(folder).parent)).endswith(f"; its model is {Path(folder).parent}/model")


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert f"{tmp_path}/none: not a local folder" in problem(TOPIC, f"{tmp_path}/none")


@pytest.mark.parametrize(
    ("model", "name"),
    [("/data/old/model", "old/model"), ("/data/old", "old"), ("/data/answers.csv", "answers.csv"), ("a/b", "a/b")],
)
def test_the_shown_name_of_a_teacher_has_no_folders_of_the_machine(tmp_path: Path, model: str, name: str) -> None:
    if model.startswith("/data") and not model.endswith("csv"):
        model = f"{tmp_path}{model}"
        Path(model).mkdir(parents=True)

    assert shown_name(model) == name
