"""The messages for settings of a recipe that do not fit together."""

import re
from typing import Any

import pytest

from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.rules import rule_problems

TOPIC = {"name": "topic", "problem_type": "single_label_classification"}
TAGS = {"name": "tags", "problem_type": "multi_label_classification"}
RATING = {"name": "rating", "problem_type": "regression"}


def content(*tasks: dict[str, Any], labels: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    """A recipe of these tasks whose training rows have labels for all of them, unless `labels` says which."""
    columns = {task.get("name"): ["long"] if task == TAGS else "column" for task in tasks}
    train = {"path": "reviews.csv", "labels": columns if labels is None else labels}
    return {"backbone": "some/encoder", "tasks": list(tasks), "data": {"train": train, **data}}


def places_of(recipe: dict[str, Any]) -> list[str]:
    """Where a recipe has problems, with every check there is."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe)
    return sorted(re.split(r": |\.? is ", problem)[0] for problem in caught.value.problems)


def test_what_fits_together_has_no_problems() -> None:
    assert rule_problems(content(TOPIC, TAGS, RATING, split={"validation": 0.1, "test": 0.2})) == []


def test_tasks_of_one_name_are_a_problem() -> None:
    assert rule_problems(content(TOPIC, TOPIC)) == ["tasks: task names must differ; given more than once: 'topic'"]


def test_tasks_that_would_write_the_same_column_are_a_problem() -> None:
    assert rule_problems(content(TOPIC, {**RATING, "name": "topic_score"})) == [
        "tasks: tasks 'topic' and 'topic_score' would write the same column; rename one"
    ]


def test_no_task_is_a_problem() -> None:
    assert rule_problems(content()) == ["tasks: a multi-task model needs at least one task; none is given"]


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        ({**TOPIC, "labels": ["film"]}, "single_label_classification needs at least 2 labels; given: ['film']"),
        ({**TOPIC, "labels": []}, "single_label_classification needs at least 2 labels; given: []"),
        ({**TOPIC, "labels": ["film", "film"]}, "labels must differ; given more than once: 'film'"),
        ({**TOPIC, "labels": ["film", ""]}, "a label is empty; an empty cell means that the label is missing"),
        (
            {**TOPIC, "problem_type": "binary_classification", "labels": ["a", "b", "c"]},
            "binary_classification has exactly 2 labels (negative first); given: ['a', 'b', 'c']",
        ),
        ({**RATING, "labels": ["1", "2"]}, "a regression task has no labels"),
    ],
    ids=["one class", "no class", "doubled", "empty", "three of two", "regression"],
)
def test_labels_that_do_not_fit_the_problem_type_are_a_problem(task: dict[str, Any], problem: str) -> None:
    # P68: a task with one class
    assert rule_problems(content(task)) == [f"tasks[0].labels: {problem}"]


def test_smoothing_the_labels_of_a_regression_is_a_problem() -> None:
    # P9
    assert rule_problems(content(TOPIC, {**RATING, "label_smoothing": 0.1})) == [
        "tasks[1].label_smoothing: is for classification; this is regression"
    ]


def test_labels_for_what_is_not_a_task_are_a_problem_with_the_nearest_task() -> None:
    assert rule_problems(content(TOPIC, labels={"topic": "column", "topics": "column"})) == [
        "data.train[0].labels.topics: no such task; did you mean 'topic'?"
    ]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_labels_for_what_is_not_a_task_are_a_problem_in_every_split(split: str) -> None:
    sources = [{"path": "a.csv", "labels": {"topic": "a"}}, {"path": "b.csv", "labels": {"x": "a"}}]

    assert rule_problems(content(TOPIC, **{split: sources})) == [f"data.{split}[1].labels.x: no such task"]


def test_several_columns_for_a_task_that_has_one_are_a_problem() -> None:
    assert rule_problems(content(RATING, labels={"rating": ["a", "b"]})) == [
        "data.train[0].labels.rating: is ['a', 'b']; it must be one column for regression"
    ]


@pytest.mark.parametrize("column", ["tags", {"column": "tags", "separator": ";"}, ["long", "loud"]])
def test_a_multi_label_task_may_have_one_column_or_one_for_each_label(column: Any) -> None:
    assert rule_problems(content(TAGS, labels={"tags": column})) == []


def test_a_source_that_names_no_labels_may_have_those_of_every_task() -> None:
    recipe = content(TOPIC, RATING)
    recipe["data"]["train"] = {"path": "reviews.csv"}

    assert rule_problems(recipe) == []


def test_a_task_without_training_labels_is_a_problem() -> None:
    assert rule_problems(content(TOPIC, RATING, labels={"topic": "column"})) == [
        "data.train: no source has labels for the task 'rating'"
    ]


def test_labels_in_a_test_file_alone_are_no_training_labels() -> None:
    test = {"path": "test.csv", "labels": {"topic": "a", "rating": "b"}}

    assert rule_problems(content(TOPIC, RATING, labels={"topic": "column"}, test=test)) == [
        "data.train: no source has labels for the task 'rating'"
    ]


def test_a_task_may_have_its_labels_in_one_of_several_sources() -> None:
    recipe = content(TOPIC, RATING)
    recipe["data"]["train"] = [{"path": "a", "labels": {"topic": "a"}}, {"path": "b", "labels": {"rating": "b"}}]

    assert rule_problems(recipe) == []


def test_the_embeddings_of_streamed_rows_are_not_kept() -> None:
    recipe = content(DOMAIN, streaming=True) | {"training": {"max_steps": 2}, "keep_embedding": {"weight": 0.1}}

    assert rule_problems(recipe) == [
        "keep_embedding: needs the embedding of every row before training, and rows are streamed"
    ]


def test_test_rows_beside_folds_are_a_problem() -> None:
    test = {"path": "test.csv", "labels": {"topic": "column"}}

    assert rule_problems(content(TOPIC, split={"folds": 5}, test=test)) == [
        "data.test: is set together with data.split.folds, where each fold is the test split once; leave data.test "
        "out, or add its table to data.train"
    ]


@pytest.mark.parametrize(
    ("split", "problem"),
    [
        ({"folds": 1}, "data.split.folds: is 1; it must be at least 2"),
        ({"folds": 5, "test": 0.2}, "data.split.test is set together with folds, where each fold is the test split"),
        ({"folds": 5, "fold": 6}, "data.split.fold is 6, but there are 5 folds"),
        ({"fold": 1}, "data.split.fold is 1, but folds is missing; add the number of folds"),
    ],
)
def test_folds_that_are_not_possible_are_a_problem(split: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(problem)):
        load_recipe(content(TOPIC, split=split))


@pytest.mark.parametrize("share", [0.5, 0.75])
def test_fractions_that_leave_no_training_rows_are_a_problem(share: float) -> None:
    assert rule_problems(content(TOPIC, split={"validation": 0.5, "test": share})) == [
        f"data.split: 0.5 + {share} leaves no training rows"
    ]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_file_and_a_fraction_for_one_split_are_a_problem(split: str) -> None:
    file = {"path": "held_out.csv", "labels": {"topic": "a"}}

    assert rule_problems(content(TOPIC, split={split: 0.2}, **{split: file})) == [
        f"data.split.{split}: holds out training rows, but data.{split} has a source; give only one of the two"
    ]


def test_a_file_and_a_fraction_for_different_splits_fit() -> None:
    file = {"path": "test.csv", "labels": {"topic": "a"}}

    assert rule_problems(content(TOPIC, split={"validation": 0.2}, test=file)) == []


def test_every_problem_is_reported() -> None:
    problems = rule_problems(content({**TOPIC, "labels": ["a"]}, RATING, labels={}, split={"test": 1.0}))

    assert [problem.split(":")[0] for problem in problems] == [
        "tasks[0].labels",
        "data.train",
        "data.train",
        "data.split",
    ]


@pytest.mark.parametrize(
    ("malformed", "places"),
    [
        ({"tasks": None, "data": None}, ["data", "tasks"]),
        ({"tasks": "topic", "data": "reviews.csv"}, ["data", "tasks"]),
        ({"tasks": ["topic"], "data": {"train": ["reviews.csv"], "split": 0.2}}, ["data.split", "tasks[0]"]),
        ({"tasks": [{**TOPIC, "labels": "film"}]}, ["tasks[0].labels"]),
        ({"tasks": [{**TOPIC, "labels": [True, [2]]}]}, ["tasks[0].labels[0]", "tasks[0].labels[1]"]),
        ({"tasks": [{"name": "topic", "problem_type": ["regression"]}]}, ["tasks[0].problem_type"]),
        ({"sampling": "often", "training": "long", "freeze": 3}, ["freeze[0]", "sampling", "training"]),
        ({"phases": [{"until": "later"}]}, ["phases[0].until"]),
        ({"phases": [{"train": 3}]}, ["phases[0].train[0]"]),
        ({"phases": [{"train": [1.5]}]}, ["phases[0].train[0]"]),
        ({"phases": [{"weights": [1]}]}, ["phases[0].weights"]),
        ({"prefix_cache": {"gigabyte": 1}}, ["prefix_cache.gigabyte"]),
        ({"tasks": [{**TOPIC, "class_weights": "much", "loss": 3}]}, ["tasks[0].class_weights", "tasks[0].loss"]),
        ({"sampling": {"task": ["topic"], "strategy": 1}}, ["sampling.strategy", "sampling.task"]),
        ({"tasks": [{**TOPIC, "name": 3}]}, ["tasks[0].name"]),
    ],
)
def test_a_malformed_part_is_reported_once(malformed: dict[str, Any], places: list[str]) -> None:
    assert places_of({**content(TOPIC), **malformed}) == places


def test_a_task_without_a_name_is_not_reported_as_no_task() -> None:
    problems = rule_problems(content({"problem_type": "regression"}, labels={}))

    assert "none is given" not in " ".join(problems)


def test_a_task_without_a_name_is_not_called_none() -> None:
    problems = rule_problems(content({"problem_type": "regression"}, labels={}))

    assert "None" not in " ".join(problems)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"backbone": None}, "backbone: is missing; name an encoder, or a trained model with start_from"),
        ({"rename_labels": {"a": "b"}}, "rename_labels: needs start_from, the trained model whose labels are renamed"),
        (
            {"prompt_name": "query", "prompt": "query: "},
            "prompt: cannot be combined with prompt_name; leave one out",
        ),
        (
            {"lora": {"lora_alfa": 8}},
            "lora.lora_alfa: no such word; did you mean 'lora_alpha'?",
        ),
        ({"lora": {"modules_to_save": ["heads"]}}, "lora.modules_to_save: cannot be set; every head is always trained"),
        (
            {"tokens_per_batch": 512, "training": {"per_device_train_batch_size": 8}},
            "tokens_per_batch: cannot be combined with training.per_device_train_batch_size; leave one out",
        ),
        (
            {"tokens_per_batch": 512, "sampling": {"strategy": "round_robin"}},
            "sampling.strategy: 'round_robin' cannot be combined with tokens_per_batch; leave one out",
        ),
        (
            {"sampling": {"strategy": "balanced", "task": "topics"}},
            "sampling.task: no such task; did you mean 'topic'?",
        ),
        ({"freeze": ["layers"]}, "freeze: 'layers' is not a part of a model; it must be one of everything, backbone,"),
        (
            {"freeze": ["backbone"], "phases": [{"train": ["heads"]}]},
            "freeze: cannot be combined with phases; use the freeze of each",
        ),
        (
            {"freeze": "everything", "average": {"last": 5}},
            "average: nothing trains with freeze 'everything'; leave one of them out",
        ),
        ({"phases": []}, "phases: must be a list with at least one phase"),
        ({"phases": [{"train": ["heads.topics"]}]}, "phases[0].train: 'heads.topics': no such task; did you mean"),
        (
            {"phases": [{"until": "no improvement of topic_f1 for 2 evaluations"}, {}]},
            "phases[0]: there is no metric 'topic_f1'; did you mean 'topic_macro_f1'?",
        ),
    ],
)
def test_words_about_training_that_do_not_fit_are_a_problem(words: dict[str, Any], problem: str) -> None:
    found = rule_problems({**content(TOPIC, split={"validation": 0.1}), **words})

    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_phase_that_waits_for_a_metric_needs_validation_rows() -> None:
    phases = [{"until": "no improvement of score for 2 evaluations"}, {}]

    assert rule_problems({**content(TOPIC), "phases": phases}) == [
        "phases[0]: no metric 'score': nothing is evaluated during training"
    ]


def test_an_ordinal_task_needs_its_labels_in_order() -> None:
    assert rule_problems(content({"name": "stars", "problem_type": "ordinal_regression"})) == [
        "tasks[0].labels: ordinal_regression requires its labels in order, the lowest first"
    ]


SENTIMENT = {"name": "sentiment", "problem_type": "binary_classification", "labels": ["negative", "positive"]}
DOMAIN = {"name": "domain", "problem_type": "single_label_classification", "labels": ["bank", "travel"]}
INTENT = {"name": "intent", "problem_type": "single_label_classification", "labels": ["pin", "visa"]}


def given(task: dict[str, Any], /, **words: Any) -> dict[str, Any]:
    """The task, which depends on another."""
    return {**task, "given": words}


@pytest.mark.parametrize(
    "task",
    [
        given(TOPIC, task="sentiment", labels=["negative"]),
        given(TAGS, task="sentiment", labels=["negative"]),
        given(RATING, task="sentiment", labels=["negative", "positive"]),
        given(TOPIC, task="sentiment"),
        given(TOPIC, task="sentiment", parents={"film": "negative"}),  # the task's labels are not known yet
        given(INTENT, task="sentiment", parents={"pin": "negative", "visa": "positive"}),
    ],
    ids=["labels", "several labels", "number", "parents in the rows", "parents", "parents of each label"],
)
def test_a_task_may_depend_on_one_before_it(task: dict[str, Any]) -> None:
    assert rule_problems(content(SENTIMENT, task)) == []


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        (
            given(TOPIC, task="sentimen", labels=["negative"]),
            "task: is 'sentimen', which is none of the tasks before it ('sentiment', 'tags'); "
            "did you mean 'sentiment'?",
        ),
        (
            given(TOPIC, task="topic", labels=["film"]),
            "task: is 'topic', which is none of the tasks before it ('sentiment', 'tags')",
        ),
        (
            given(TOPIC, task="tags", labels=["long"]),
            "task: is 'tags', a multi_label_classification; a condition needs one label for each row",
        ),
        (
            given(TOPIC, task="sentiment", labels=["negativ"]),
            "labels: 'negativ' is not a label of 'sentiment'; did you mean 'negative'?",
        ),
        (
            given(INTENT, task="sentiment", parents={"pin": "negative", "visa": "positiv"}),
            "parents: 'positiv' is not a label of 'sentiment'; did you mean 'positive'?",
        ),
        (
            given(INTENT, task="sentiment", parents={"pin": "negative", "vias": "positive"}),
            "parents: 'vias' is not a label of the task; did you mean 'visa'?",
        ),
        (
            given(INTENT, task="sentiment", parents={"pin": "negative"}),
            "parents: must name each label of the task; 'visa' is missing",
        ),
        (
            given(TOPIC, task="sentiment", labels=["negative"], parents={"film": "negative"}),
            "labels: is set together with parents; set only one of them",
        ),
        (
            given(RATING, task="sentiment", parents={"film": "negative"}),
            "parents: is for single_label_classification; this is regression",
        ),
        (
            given(RATING, task="sentiment"),
            "labels: are missing; only single_label_classification reads parents from the training rows, "
            "and this is regression",
        ),
    ],
)
def test_a_condition_that_cannot_be_is_a_problem_with_its_place(task: dict[str, Any], problem: str) -> None:
    assert rule_problems(content(SENTIMENT, TAGS, task)) == [f"tasks[2].given.{problem}"]


def test_the_first_task_has_none_to_depend_on() -> None:
    assert rule_problems(content(given(TOPIC, task="sentiment", labels=["negative"]), SENTIMENT)) == [
        "tasks[0].given.task: is 'sentiment', which is none of the tasks before it (none)"
    ]


@pytest.mark.parametrize("words", [{}, {"parents": {}}, {"labels": []}])
def test_rows_that_are_streamed_tell_no_parents(words: dict[str, Any]) -> None:
    recipe = content(DOMAIN, given(TOPIC, task="domain", **words), streaming=True) | {"training": {"max_steps": 2}}

    assert rule_problems(recipe) == [
        "tasks[1].given: parents cannot be read from streamed rows; write them in the recipe"
    ]


@pytest.mark.parametrize("words", [{"labels": ["bank"]}, {"parents": {"film": "bank", "food": "travel"}}])
def test_a_condition_that_is_written_goes_with_rows_that_are_streamed(words: dict[str, Any]) -> None:
    recipe = content(DOMAIN, given(TOPIC, task="domain", **words), streaming=True) | {"training": {"max_steps": 2}}

    assert rule_problems(recipe) == []


@pytest.mark.parametrize(
    ("malformed", "place"),
    [
        ({**INTENT, "given": "domain"}, "given"),
        ({**INTENT, "given": ["domain"]}, "given"),
        (given(INTENT, labels=["bank"]), "given.task"),
        (given(INTENT, task=["domain"]), "given.task"),
        (given(INTENT, task="domain", labels="bank"), "given.labels"),
        (given(INTENT, task="domain", parents=["bank", "travel"]), "given.parents"),
        (given({"name": "intent"}, task="domain", parents={"pin": "bank"}), "problem_type"),
        (given({**INTENT, "problem_type": "regresion"}, task="domain"), "problem_type"),
        (given({**INTENT, "labels": "pin"}, task="domain", parents={"pin": "bank"}), "labels"),
    ],
)
def test_a_malformed_condition_is_reported_once(malformed: dict[str, Any], place: str) -> None:
    assert places_of(content(DOMAIN, malformed)) == [f"tasks[1].{place}"]


def test_what_another_task_lacks_is_left_to_the_report_of_that() -> None:
    task = given(INTENT, task="domain", labels=["bank"])

    assert rule_problems(content({"name": "domain"}, task)) == []
