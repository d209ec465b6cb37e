"""Parts of a model: their content in every encoder family, and which of them are trained."""

import re
from typing import Any

import pytest
from peft import LoraConfig, get_peft_model

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.training.freezing import parameters_of, train_only, trained_parameters
from modeling_multitask.training.parts import PARTS, part_problem
from tests.conftest import tiny_bert_config
from tests.unit.test_modeling import of_family

TASKS = ["topic", "sentiment"]
LAYERS = {"bert": 2, "distilbert": 2, "mpnet": 2, "modernbert": 2, "albert": 1, "minilm": 6}
each_family = pytest.mark.parametrize("family", LAYERS)


def names_of(model: Any) -> set[str]:
    return {name for name, _ in model.named_parameters()}


def trainable(model: Any) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def adapted(model: MultiTaskModel) -> Any:
    """With adapters on the queries and two heads that train whole."""
    return get_peft_model(
        model, LoraConfig(target_modules=["query"], modules_to_save=["heads.topic", "heads.sentiment"])
    )


@each_family
def test_everything_is_every_parameter(family: str) -> None:
    model = of_family(family)

    assert parameters_of(model, "everything") == names_of(model)


@each_family
def test_the_backbone_is_what_is_no_head(family: str) -> None:
    model = of_family(family)

    assert parameters_of(model, "backbone") == {name for name in names_of(model) if name.startswith("backbone.")}


@each_family
def test_the_heads_are_what_is_not_the_backbone(family: str) -> None:
    model = of_family(family)

    assert parameters_of(model, "heads") == names_of(model) - parameters_of(model, "backbone")


@each_family
def test_embeddings_and_layers_are_the_whole_backbone_each_parameter_once(family: str) -> None:
    model = of_family(family)
    parts = ["embeddings", *(f"layers.{i}" for i in range(LAYERS[family]))]

    names = [name for part in parts for name in parameters_of(model, part)]

    assert sorted(names) == sorted(parameters_of(model, "backbone"))


@each_family
def test_the_embeddings_hold_no_number_and_the_words(family: str) -> None:
    names = parameters_of(of_family(family), "embeddings")

    assert any("embeddings" in name for name in names)
    assert not any(re.search(r"\.\d+\.", name) for name in names)


@pytest.mark.parametrize("family", [family for family in LAYERS if family != "albert"])
def test_a_layer_holds_what_bears_its_number(family: str) -> None:
    names = parameters_of(of_family(family), "layers.0")

    assert len(names) >= 5
    assert all(re.search(r"^[^\d]*\.0\.", name) for name in names)


def test_the_topmost_layer_holds_what_follows_it() -> None:
    assert "backbone.final_norm.weight" in parameters_of(of_family("modernbert"), "layers.1")


def test_a_range_of_layers_includes_both_ends() -> None:
    model = of_family("minilm")

    names = parameters_of(model, "layers.1-3")

    assert names == set().union(*(parameters_of(model, f"layers.{i}") for i in (1, 2, 3)))


def test_the_last_layers_are_counted_from_the_top_of_any_encoder() -> None:
    for family, layers in (("minilm", "layers.4-5"), ("bert", "layers.0-1")):
        model = of_family(family)

        assert parameters_of(model, "last_layers.2") == parameters_of(model, layers)


def test_a_head_is_not_one_whose_name_merely_begins_alike() -> None:
    tasks = [{"name": name, "problem_type": "regression", "head": {"hidden_sizes": []}} for name in ("tone", "tone2")]
    model = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks))

    assert parameters_of(model, "heads.tone") == {"heads.tone.0.weight", "heads.tone.0.bias"}


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("everything", None),
        ("backbone", None),
        ("embeddings", None),
        ("heads", None),
        ("heads.topic", None),
        ("layers.5", None),
        ("layers.0-5", None),
        ("last_layers.6", None),
        ("last_layers.7", "'last_layers.7': there are no such layers; this encoder has the layers 0 to 5"),
        (
            "last_layers.0",
            f"'last_layers.0' is not a part of a model; it must be one of {', '.join(PARTS)}; "
            "did you mean 'last_layers.N'?",
        ),
        ("heads.topics", "'heads.topics': no such task; did you mean 'topic'?"),
        ("heads.", "'heads.': no such task"),
        ("layers.6", "'layers.6': there are no such layers; this encoder has the layers 0 to 5"),
        ("layers.3-6", "'layers.3-6': there are no such layers; this encoder has the layers 0 to 5"),
        ("layers.3-1", "'layers.3-1': there are no such layers; this encoder has the layers 0 to 5"),
        (
            "layers",
            f"'layers' is not a part of a model; it must be one of {', '.join(PARTS)}; did you mean 'layers.K'?",
        ),
        (
            "layers.-1",
            f"'layers.-1' is not a part of a model; it must be one of {', '.join(PARTS)}; did you mean 'layers.A-B'?",
        ),
        (
            "backbon",
            f"'backbon' is not a part of a model; it must be one of {', '.join(PARTS)}; did you mean 'backbone'?",
        ),
        ("none", f"'none' is not a part of a model; it must be one of {', '.join(PARTS)}"),
    ],
)
def test_what_names_no_part_is_told_why(part: str, problem: str | None) -> None:
    assert part_problem(part, TASKS, layers=6) == problem


@pytest.mark.parametrize(
    ("part", "problem"), [("layers.99", None), ("layers.3-1", "'layers.3-1': there are no such layers")]
)
def test_where_the_encoder_is_not_known_any_ascending_numbers_will_do(part: str, problem: str | None) -> None:
    assert part_problem(part, TASKS) == problem


@pytest.mark.parametrize(
    ("part", "message"), [("layers.2", "this encoder has the layers 0 to 1"), ("x", "not a part of a")]
)
def test_a_part_that_the_model_lacks_is_refused(model: MultiTaskModel, part: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parameters_of(model, part)


def test_the_shared_layers_of_albert_are_layer_0_alone() -> None:
    with pytest.raises(ValueError, match=r"'layers\.1': there are no such layers; this encoder has the layers 0 to 0"):
        parameters_of(of_family("albert"), "layers.1")


def test_parts_that_train_are_joined(model: MultiTaskModel) -> None:
    trained = trained_parameters(model, ("heads.topic", "layers.1"), ())

    assert trained == parameters_of(model, "heads.topic") | parameters_of(model, "layers.1")


def test_what_is_frozen_is_taken_from_what_trains(model: MultiTaskModel) -> None:
    trained = trained_parameters(model, ("everything",), ("backbone", "heads.topic"))

    assert trained == parameters_of(model, "heads") - parameters_of(model, "heads.topic")


@pytest.mark.parametrize(("train", "freeze"), [(("head",), ()), (("heads",), ("layer.0",))])
def test_an_unknown_part_is_refused_whether_it_trains_or_not(
    model: MultiTaskModel, train: tuple[str, ...], freeze: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="is not a part of a model; it must be one of everything, backbone"):
        trained_parameters(model, train, freeze)


def test_only_the_named_parameters_train(model: MultiTaskModel) -> None:
    names = parameters_of(model, "heads.tags")

    train_only(model, names)

    assert trainable(model) == names


def test_what_was_frozen_trains_again_when_it_is_named(model: MultiTaskModel) -> None:
    model.requires_grad_(False)

    train_only(model, names_of(model))

    assert trainable(model) == names_of(model)


def test_a_layer_of_an_adapted_encoder_holds_its_adapters(model: MultiTaskModel) -> None:
    # P34: peft puts the encoder's own weights behind other names.
    wrapped = adapted(model)

    names = parameters_of(wrapped, "layers.1") & trainable(wrapped)

    prefix = "base_model.model.backbone.encoder.layer.1.attention.self.query.lora_"
    assert names == {f"{prefix}A.default.weight", f"{prefix}B.default.weight"}


def test_an_adapted_models_head_is_the_copy_that_trains(model: MultiTaskModel) -> None:
    # P34
    wrapped = adapted(model)

    names = parameters_of(wrapped, "heads.topic") & trainable(wrapped)

    assert names == {
        f"base_model.model.heads.topic.modules_to_save.default.{name}"
        for name, _ in of_family("bert").heads.topic.named_parameters()
    }


def test_the_parts_of_an_adapted_model_are_all_of_it(model: MultiTaskModel) -> None:
    # P34
    wrapped = adapted(model)

    parts = [parameters_of(wrapped, part) for part in ("embeddings", "layers.0", "layers.1", "heads")]

    assert sorted(name for part in parts for name in part) == sorted(names_of(wrapped))
