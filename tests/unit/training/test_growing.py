"""A trained model that gets new tasks keeps its encoder and the heads of its tasks."""

from typing import Any

import pytest
import torch
from torch import nn

from modeling_multitask import HeadConfig, MultiTaskConfig, MultiTaskModel, TaskConfig
from modeling_multitask.training.growing import grow, inherited_tasks
from tests.conftest import tasks_of_each_type, tiny_bert_config
from tests.unit.training.test_lora import logits_of, unlike

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food", "phone"]}
LIKED = {"name": "liked", "problem_type": "binary_classification", "labels": ["no", "yes"]}
RATING = {"name": "rating", "problem_type": "regression"}
BARE = {name: value for name, value in TOPIC.items() if name != "labels"}


@pytest.fixture
def trained() -> MultiTaskModel:
    """A model of which no weight is as it began."""
    config = MultiTaskConfig(
        backbone_config=tiny_bert_config(),
        tasks=tasks_of_each_type(),
        max_length=16,
        pooling="max",
        normalize=True,
        head={"hidden_sizes": [8]},
    )
    model = MultiTaskModel(config).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


def test_kept_tasks_give_the_trained_logits(trained: MultiTaskModel) -> None:
    grown = grow(trained, [*tasks_of_each_type(), LIKED])

    assert unlike(logits_of(trained), logits_of(grown)) == []


def test_kept_heads_and_the_encoder_have_the_trained_weights(trained: MultiTaskModel) -> None:
    # P27: to the bit, whatever the order of the tasks and though one is dropped.
    grown = grow(trained, [LIKED, RATING, TOPIC]).state_dict()

    old = trained.state_dict()
    assert [name for name in grown if "liked" not in name and not torch.equal(grown[name], old[name])] == []


def test_the_new_tasks_are_the_models_in_their_order(trained: MultiTaskModel) -> None:
    grown = grow(trained, [LIKED, RATING, TOPIC])

    assert list(logits_of(grown)) == ["liked", "rating", "topic"]


def test_a_head_that_is_added_is_new(trained: MultiTaskModel) -> None:
    torch.manual_seed(0)
    one = grow(trained, [TOPIC, LIKED])
    torch.manual_seed(1)
    other = grow(trained, [TOPIC, LIKED])

    assert not torch.equal(one.heads.liked[0].weight, other.heads.liked[0].weight)


def test_pooling_and_normalisation_are_the_trained_ones(trained: MultiTaskModel) -> None:
    config = grow(trained, [TOPIC]).config

    assert (config.pooling, config.normalize, config.max_length) == ("max", True, 16)


def test_a_length_can_be_given(trained: MultiTaskModel) -> None:
    assert grow(trained, [TOPIC], max_length=32).config.max_length == 32


def test_another_head_is_that_of_new_tasks_only(trained: MultiTaskModel) -> None:
    grown = grow(trained, [TOPIC, LIKED], head={"hidden_sizes": [4]})

    assert (grown.heads.topic[0].out_features, grown.heads.liked[0].out_features) == (8, 4)


def test_new_tasks_have_the_trained_models_head_unless_one_is_given(trained: MultiTaskModel) -> None:
    assert grow(trained, [LIKED]).heads.liked[0].out_features == 8


def test_a_kept_task_may_have_other_labels_losses_and_weights(trained: MultiTaskModel) -> None:
    labels = ["cinema", "dinner", "call"]
    renamed = {**TOPIC, "labels": labels, "class_weights": [1.0, 2.0, 3.0], "weight": 0.5}

    task = grow(trained, [renamed], rename_labels=dict(zip(TOPIC["labels"], labels, strict=True))).config.tasks[0]

    assert (task.labels, task.class_weights, task.weight) == (["cinema", "dinner", "call"], [1.0, 2.0, 3.0], 0.5)


def test_the_trained_model_and_the_tasks_are_left_as_they_are(trained: MultiTaskModel) -> None:
    before = {name: each.clone() for name, each in trained.state_dict().items()}
    task = TaskConfig(**TOPIC)

    grown = grow(trained, [task])
    with torch.no_grad():
        for parameter in grown.parameters():
            parameter.zero_()
    grown.config.backbone_config.hidden_dropout_prob = 0.9

    assert [name for name, each in trained.state_dict().items() if not torch.equal(before[name], each)] == []
    assert trained.config.backbone_config.hidden_dropout_prob == 0.1
    assert task.head is None


def test_half_precision_is_kept(trained: MultiTaskModel) -> None:
    assert grow(trained.to(torch.bfloat16), [TOPIC, LIKED]).heads.liked[0].weight.dtype == torch.bfloat16


def test_a_grown_model_is_saved_and_loaded(trained: MultiTaskModel, tmp_path: Any) -> None:
    grown = grow(trained, [TOPIC, LIKED])
    grown.save_pretrained(tmp_path)

    assert unlike(logits_of(grown), logits_of(MultiTaskModel.from_pretrained(tmp_path))) == []


def test_the_head_a_task_was_trained_with_may_be_said_again(trained: MultiTaskModel) -> None:
    grown = grow(trained, [{**TOPIC, "head": {"hidden_sizes": [8]}}])

    assert grown.config.tasks[0].head == HeadConfig(hidden_sizes=[8])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            {**TOPIC, "labels": ["cat", "dog"]},
            r"'topic': its labels are \['cat', 'dog'\], but .* with \['film', .*\], and none of them is the",
        ),
        (
            {**TOPIC, "problem_type": "ordinal_regression"},
            "'topic': it is ordinal_regression, but was trained as single_label_classification; give the new task an",
        ),
        (
            {**TOPIC, "head": {"hidden_sizes": [5]}},
            r"'topic': its head is HeadConfig\(hidden_sizes=\[5\].* trained with HeadConfig\(hidden_sizes=\[8\]",
        ),
    ],
)
def test_a_task_that_was_trained_as_something_else_is_refused(
    trained: MultiTaskModel, task: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        grow(trained, [task])


def test_labels_that_are_left_out_are_the_trained_ones() -> None:
    tasks = inherited_tasks([{**BARE, "weight": 2.0}], [TaskConfig(**TOPIC)], {})

    assert tasks == [{**TOPIC, "weight": 2.0}]


def test_renamed_labels_keep_their_places() -> None:
    tasks = inherited_tasks([BARE], [TaskConfig(**TOPIC)], {"food": "dinner"})

    assert tasks[0]["labels"] == ["film", "dinner", "phone"]


def test_labels_may_be_given_under_their_new_names() -> None:
    given = [{**TOPIC, "labels": ["film", "dinner", "phone"]}]

    assert inherited_tasks(given, [TaskConfig(**TOPIC)], {"food": "dinner"}) == given


def test_new_tasks_and_numbers_have_no_labels_to_inherit() -> None:
    given = [LIKED, RATING]

    inherited = inherited_tasks(given, [TaskConfig(**TOPIC), TaskConfig(**RATING)], {})

    assert inherited == [LIKED, {**RATING, "transform": "none"}]


@pytest.mark.parametrize("label", ["fim", "yes"])
def test_a_label_that_no_kept_task_has_cannot_be_renamed(label: str) -> None:
    tasks = [TaskConfig(**TOPIC), TaskConfig(**LIKED)]

    with pytest.raises(ValueError, match=f"rename_labels: no kept task has the label '{label}'"):
        inherited_tasks([BARE], tasks, {label: "x"})


def test_two_labels_cannot_get_the_same_name() -> None:
    # Only one of them would keep its weights.
    trained = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=[TOPIC, LIKED]))
    message = "rename_labels: task 'topic' would have two labels 'film', which were trained as 'film' and 'food'"

    for labels in (["film", "phone"], ["film", "food", "phone"]):
        with pytest.raises(ValueError, match=message):
            inherited_tasks([{**TOPIC, "labels": labels}], [TaskConfig(**TOPIC)], {"food": "film"})
        with pytest.raises(ValueError, match=message):
            grow(trained, [{**TOPIC, "labels": labels}], rename_labels={"food": "film"})
    grow(trained, [LIKED], rename_labels={"food": "film"})  # topic is dropped


def test_two_labels_may_exchange_their_names() -> None:
    tasks = inherited_tasks([BARE], [TaskConfig(**TOPIC)], {"food": "film", "film": "food"})

    assert tasks[0]["labels"] == ["food", "film", "phone"]


@pytest.mark.parametrize("kind", ["ordinal_regression", "binary_classification"])
def test_labels_with_an_order_and_of_a_binary_task_cannot_be_changed(kind: str) -> None:
    task = {**LIKED, "problem_type": kind}
    message = rf"'liked': its labels are \['no', 'maybe'\], but .* with \['no', 'yes'\]; those of {kind} cannot be"

    with pytest.raises(ValueError, match=message):
        inherited_tasks([{**task, "labels": ["no", "maybe"]}], [TaskConfig(**task)], {})


@pytest.mark.parametrize("kind", ["single_label_classification", "multi_label_classification"])
def test_labels_are_added_dropped_and_moved_with_their_weights(kind: str) -> None:
    task = {**TOPIC, "problem_type": kind}
    trained = MultiTaskModel(
        MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=[task], head={"hidden_sizes": [8]})
    ).eval()
    for parameter in trained.parameters():
        nn.init.normal_(parameter, std=0.1)

    grown = grow(trained, [{**task, "labels": ["call", "book", "film"]}], rename_labels={"phone": "call"})

    before, after = logits_of(trained)["topic"], logits_of(grown)["topic"]
    assert torch.equal(after[:, [0, 2]], before[:, [2, 0]])
    assert not any(torch.equal(after[:, 1], before[:, i]) for i in range(3))


def test_a_new_label_has_the_first_weights_of_a_new_head(trained: MultiTaskModel) -> None:
    longer = {**TOPIC, "labels": [*TOPIC["labels"], "book"]}
    torch.manual_seed(0)
    first = grow(trained, [longer])
    torch.manual_seed(1)
    second = grow(trained, [longer])

    one, other = (each.heads.topic[-1].weight for each in (first, second))
    assert torch.equal(one[:3], other[:3])
    assert not torch.equal(one[3], other[3])


def test_calibration_is_dropped_if_labels_change_and_kept_otherwise(
    trained: MultiTaskModel, caplog: pytest.LogCaptureFixture
) -> None:
    trained.config.tasks[0].temperature = 2.0
    trained.config.tasks[0].abstain_below = 0.7

    same = grow(trained, [TOPIC]).config.tasks[0]
    changed = grow(trained, [{**TOPIC, "labels": ["food", "film", "book"]}]).config.tasks[0]

    assert (same.temperature, same.abstain_below) == (2.0, 0.7)
    assert (changed.temperature, changed.abstain_below) == (1.0, None)
    said = "task 'topic': new labels: 'book'; dropped labels: 'phone'; its calibration is dropped"
    assert said in caplog.messages


def test_labels_are_not_inherited_by_a_task_of_another_type() -> None:
    other = {**BARE, "problem_type": "ordinal_regression"}
    message = (
        "'topic': its problem_type is ordinal_regression, but it was trained with single_label_classification; give the"
    )

    with pytest.raises(ValueError, match=message):
        inherited_tasks([other], [TaskConfig(**TOPIC)], {})
