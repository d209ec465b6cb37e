"""The configuration: refused values, and saving and loading without changes."""

import json
import math
from pathlib import Path

import pytest
from huggingface_hub.errors import StrictDataclassError
from transformers import BertConfig

from modeling_multitask import HeadConfig, MultiTaskConfig, TaskConfig
from modeling_multitask.configuration_multitask import CustomPipelines
from modeling_multitask.task_problems_multitask import RESERVED_TASK_NAMES, task_loss_problem
from tests.conftest import tasks_of_each_type, tiny_bert_config

UNUSABLE = ["type", "keys", "items", "values", "train", "float", "half", "pop", "update", "clear", "forward"]
UNUSABLE += ["training", "children", "a.b", "", "1st", "two words", "class", *sorted(RESERVED_TASK_NAMES)]
UNUSABLE += ["eval_kind", "test_kind", "train_kind"]
WRONG = (ValueError, StrictDataclassError)


def task(**settings: object) -> dict:
    return {"name": "topic", "problem_type": "single_label_classification", "labels": ["a", "b"], **settings}


def grade(**settings: object) -> dict:
    return task(problem_type="ordinal_regression", **{"labels": ["low", "mid", "high"], **settings})


def build(*tasks: dict, **settings: object) -> MultiTaskConfig:
    return MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=list(tasks), **settings)


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_task_name_is_refused_with_a_free_one(name: str) -> None:
    # P17: nn.ModuleDict would raise KeyError when the model is built.
    with pytest.raises(WRONG, match=rf"{name!r} cannot name a task \(.*\); try '(?P<free>\w+)'") as caught:
        build(task(name=name))

    free = str(caught.value).rsplit("try ", 1)[1].strip("'")
    assert build(task(name=free)).tasks[0].name == free


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "needs at least one task; none is given"),
        ([task(), task()], "task names must differ; given more than once: 'topic'"),
        ([task(), task(name="topic_score")], "'topic' and 'topic_score' would write the same column"),
        ([task(labels=None)], "'topic': single_label_classification needs its labels"),
        ([task(labels=["a"])], r"needs at least 2 labels; given: \['a'\]"),
        ([task(labels=["a", "a"])], "labels must differ; given more than once: 'a'"),
        ([task(labels=["a", ""])], "a label is empty"),
        ([task(num_labels=3)], "num_labels is 3, but 2 labels are given"),
        ([task(problem_type="binary_classification", labels=["a", "b", "c"])], "has exactly 2 labels"),
        ([task(problem_type="regression")], "a regression task has no labels"),
        ([task(problem_type="regresion")], "expected one of .* got regresion"),
        ([task(weight=-1.0)], "weight is -1.0; it must be at least 0"),
        ([task(label_smoothing=1.0)], "label_smoothing is 1.0; it must be at least 0 and below 1"),
        (
            [task(problem_type="regression", labels=None, label_smoothing=0.1)],
            "label_smoothing is for classification; this is regression",
        ),
        ([task(temperature=0.0)], "temperature is 0.0; it must be a number above 0"),
        ([task(temperature=math.nan)], "temperature is nan; it must be a number above 0"),
        ([task(temperature=math.inf)], "temperature is inf; it must be a number above 0"),
        ([task(abstain_by="energy", abstain_below=math.nan)], "abstain_below is nan; it must be a number"),
        ([task(thresholds=[0.5])], "thresholds is .0.5.; single_label_classification has 0, from 0 to 1"),
        ([task(problem_type="binary_classification", thresholds=[1.5])], "binary_classification has 1, from 0 to 1"),
        ([task(problem_type="multi_label_classification", thresholds=[0.5])], "multi_label_classification has 2"),
        ([task(problem_type="multi_label_classification", abstain_below=0.5)], "is for tasks of one label"),
        ([task(abstain_below=2.0)], "abstain_below is 2.0; it must be from 0 to 1"),
        (
            [task(problem_type="ordinal_regression", abstain_below=2.0, abstain_by="energy")],
            "the energy is for single_label_classification, not ordinal_regression",
        ),
        ([task(class_weights=[1.0])], r"class_weights is \[1.0\]; it must be 2 non-negative numbers"),
        ([task(class_weights=[1.0, -1.0])], "each must be at least 0"),
        (
            [task(problem_type="binary_classification", class_weights=[1.0, 1.0])],
            "class_weights is for single_label_classification",
        ),
        ([task(class_weights=[1.0, float("nan")])], r"class_weights is \[1.0, nan\]; each must be at least 0"),
        ([task(class_weights=["a", "b"])], "Invalid item at index 0 in list 'class_weights'"),
        ([task(pos_weight=2.0)], "pos_weight is for binary_classification and multi_label_classification; this is"),
        ([task(problem_type="binary_classification", pos_weight=[1, 2])], "it must be 1 non-negative number: one nu"),
        ([task(problem_type="binary_classification", pos_weight=-1)], r"pos_weight is \[-1.0\]; each must be"),
        (
            [task(problem_type="multi_label_classification", pos_weight=2)],
            r"is \[2.0\]; it must be 2 non-negative numbers",
        ),
        ([grade(class_weights=[1, 1, 1])], "class_weights is for single_label_classification; this is ordinal_regr"),
        ([grade(label_smoothing=0.1)], "label_smoothing is for classification; this is ordinal_regression"),
        ([grade(labels=["a"])], r"ordinal_regression needs at least 2 labels; given: \['a'\]"),
        ([grade(labels=None)], r"ordinal_regression needs its labels \(or num_labels\)"),
        ([task(loss="mse")], "loss is 'mse'; single_label_classification has cross_entropy and focal"),
        ([grade(loss="focal")], "loss is 'focal'; ordinal_regression has cumulative_logits"),
        ([task(problem_type="regression", labels=None, loss="hubber")], "has mse and huber; did you mean 'huber'"),
        ([task(focal_gamma=-0.5)], "focal_gamma is -0.5; it must be at least 0"),
        ([task(huber_delta=0)], "huber_delta is 0; it must be above 0"),
        ([task(labls=["a"])], "task 'topic': labls: no such word; did you mean 'labels'"),
        ([task(head={"hidden": [3]})], "head.hidden: no such word; did you mean 'hidden_sizes'"),
        ([task(head={"hidden_sizes": [0]})], r"hidden_sizes is \[0\]; each must be at least 1"),
        ([task(head={"dropout": 1.0})], "dropout is 1.0; it must be at least 0 and below 1"),
        (["topic"], "a task is 'topic'; it must be a dict of its settings"),
    ],
)
def test_tasks_that_cannot_be_are_refused(tasks: list, message: str) -> None:
    with pytest.raises(WRONG, match=message):
        build(*tasks)


def test_an_unknown_pooling_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(WRONG, match=r"expected one of \('cls', 'mean', .*\), got avg"):
        build(task(), pooling="avg")


def test_a_length_of_one_token_is_refused() -> None:
    with pytest.raises(WRONG, match="max_length is 1; it must be at least 2 tokens"):
        build(task(), max_length=1)


def test_a_configuration_without_a_backbone_is_refused() -> None:
    with pytest.raises(WRONG, match=r"backbone_config is .*; it must be a configuration or a dict with its model_type"):
        MultiTaskConfig(tasks=[task()])


@pytest.mark.parametrize("given", [{"model_type": "their_own"}, {"model_type": "bert", "auto_map": {}}])
def test_a_backbone_that_needs_remote_code_is_refused(given: dict) -> None:
    # P46
    with pytest.raises(WRONG, match="a backbone that needs remote code of its own is not supported"):
        MultiTaskConfig(backbone_config=given, tasks=[task()])


def test_a_saved_configuration_comes_back_equal(tmp_path: Path, config: MultiTaskConfig) -> None:
    # P44: a dict of ids would come back with strings for keys, and sorted.
    config.save_pretrained(tmp_path)

    again = MultiTaskConfig.from_pretrained(tmp_path)

    assert again.to_dict() == config.to_dict()
    assert again.tasks == config.tasks
    assert again.head == config.head


def test_tasks_and_labels_keep_their_order(tmp_path: Path) -> None:
    # P44
    build(task(name="z", labels=["q", "b", "a"]), task(name="a")).save_pretrained(tmp_path)

    again = MultiTaskConfig.from_pretrained(tmp_path)

    assert [each.name for each in again.tasks] == ["z", "a"]
    assert again.tasks[0].labels == ["q", "b", "a"]


def test_the_single_task_words_of_the_base_class_are_not_written(tmp_path: Path, config: MultiTaskConfig) -> None:
    # P45: `id2label` would say LABEL_0, LABEL_1, ... of a model of four tasks.
    config.num_labels = 4
    config.save_pretrained(tmp_path)

    written = json.loads((tmp_path / "config.json").read_text())

    assert not {"id2label", "label2id", "num_labels", "problem_type"} & set(written)


def test_no_path_of_this_machine_is_written(tmp_path: Path, backbone: Path) -> None:
    nested = BertConfig.from_pretrained(backbone)
    MultiTaskConfig(backbone_config=nested, tasks=[task()], name_or_path=str(backbone)).save_pretrained(tmp_path)

    assert str(backbone) not in (tmp_path / "config.json").read_text()


def test_dtype_and_attention_of_the_backbone_survive(tmp_path: Path) -> None:
    # P46
    build(task(), dtype="bfloat16").save_pretrained(tmp_path)

    again = MultiTaskConfig.from_pretrained(tmp_path, attn_implementation="eager")

    assert str(again.dtype) == "torch.bfloat16"
    assert again.backbone_config._attn_implementation == "eager"
    assert again.backbone_config.to_dict() == tiny_bert_config().to_dict() | {
        "_name_or_path": again.backbone_config._name_or_path,
        "architectures": None,
    }


def test_a_number_of_labels_names_them() -> None:
    assert TaskConfig("t", "binary_classification", num_labels=2).labels == ["LABEL_0", "LABEL_1"]


@pytest.mark.parametrize(("given", "logits"), list(zip(tasks_of_each_type(), [3, 1, 2, 1, 2], strict=True)))
def test_a_binary_task_and_a_regression_have_one_logit_and_ranks_have_one_less_than_labels(
    given: dict, logits: int
) -> None:
    assert TaskConfig(**given).num_logits == logits


def test_a_number_of_ranks_names_them_and_sets_the_logits() -> None:
    task = TaskConfig("t", "ordinal_regression", num_labels=4)

    assert (task.labels[-1], task.num_logits) == ("LABEL_3", 3)


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("single_label_classification", "cross_entropy"),
        ("binary_classification", "cross_entropy"),
        ("multi_label_classification", "cross_entropy"),
        ("regression", "mse"),
        ("ordinal_regression", "cumulative_logits"),
    ],
)
def test_a_loss_that_is_left_out_is_that_of_the_problem_type(kind: str, loss: str) -> None:
    assert TaskConfig("t", kind, labels=None if kind == "regression" else ["a", "b"]).loss == loss


def test_one_number_is_the_pos_weight_of_a_binary_task() -> None:
    assert build(task(problem_type="binary_classification", pos_weight=3)).tasks[0].pos_weight == [3.0]


def test_settings_of_a_loss_come_back_from_the_file(tmp_path: Path) -> None:
    tasks = [task(loss="focal", focal_gamma=1, class_weights=[1, 2.5]), grade(name="grade")]
    config = build(*tasks, task(name="number", problem_type="regression", labels=None, loss="huber", huber_delta=0.5))
    config.save_pretrained(tmp_path)

    assert MultiTaskConfig.from_pretrained(tmp_path).tasks == config.tasks


def test_a_task_saved_before_there_was_a_choice_of_losses_has_the_default_one() -> None:
    # The config.json of earlier versions has none of these words.
    assert build(task()).tasks[0] == TaskConfig(
        **task(), num_labels=2, loss="cross_entropy", pos_weight=None, focal_gamma=2.0, huber_delta=1.0
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"class_weights": "balanced"},
        {"class_weights": ["a", None]},
        {"labels": 3, "class_weights": [1.0]},
        {"labels": None, "class_weights": [1.0]},
    ],
)
def test_settings_that_are_malformed_or_not_known_yet_are_not_looked_at(settings: dict) -> None:
    # A recipe is checked as it was written, and says what is malformed itself.
    assert task_loss_problem(task(**settings)) is None


def test_the_default_head_has_two_hidden_blocks() -> None:
    assert build(task()).head == HeadConfig(
        hidden_sizes=[256, 64], normalization="layer", activation="relu", dropout=0.1
    )


def test_the_width_of_the_embedding_is_that_of_the_backbone(config: MultiTaskConfig) -> None:
    assert config.hidden_size == 32


def test_the_one_pipeline_of_a_config_has_two_names() -> None:
    # P55: `pipeline()` without a task works only if there is one entry.
    entry = {"impl": "pipeline_multitask.MultiTaskPipeline", "pt": ["AutoModel"]}
    found = build(task(), custom_pipelines={"multitask-classification": entry}).custom_pipelines

    assert list(found) == ["multitask-classification"]
    assert found["multitask-classification"] == found["text-classification"] == entry
    assert "text-classification" in found
    assert "feature-extraction" not in found


def test_a_pipeline_that_a_config_does_not_have_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="'feature-extraction'"):
        CustomPipelines({"multitask-classification": {}})["feature-extraction"]


@pytest.mark.parametrize("damaged", [None, [], "multitask-classification"])
def test_damaged_pipelines_do_not_keep_a_config_from_loading(tmp_path: Path, damaged: object) -> None:
    build(task()).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**saved, "custom_pipelines": damaged}))

    assert MultiTaskConfig.from_pretrained(tmp_path).custom_pipelines == damaged
