"""Parameter groups: each parameter once, heads first, learning rates by depth, weight decay by shape."""

from collections import Counter
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from modeling_multitask import LearningRates, MultiTaskConfig, MultiTaskModel
from modeling_multitask.training.parameter_groups import layer_depths, parameter_groups, plain_name
from tests.conftest import tiny_bert_config
from tests.unit.test_modeling import each_family, of_family

RATES = LearningRates(heads=1e-3, backbone=1e-4, layer_decay=0.5)


def names_of(group: dict) -> list[str]:
    return [name for name, _ in group["params"]]


@each_family
def test_every_parameter_is_in_exactly_one_group(family: str) -> None:
    model = of_family(family)

    counts = Counter(name for group in parameter_groups(model, RATES, 0.01) for name in names_of(group))

    assert counts == Counter(name for name, _ in model.named_parameters())


@each_family
def test_what_precedes_the_layers_is_deepest_and_what_follows_them_is_on_top(family: str) -> None:
    depths = layer_depths(of_family(family).backbone)
    words = next(depth for name, depth in depths.items() if "embed" in name and name.endswith("weight"))
    layers = 1 if family == "albert" else 6 if family == "minilm" else 2

    assert (words, max(depths.values())) == (0, layers)


def test_the_final_norm_of_modernbert_has_the_depth_of_its_last_layer() -> None:
    assert layer_depths(of_family("modernbert").backbone)["final_norm.weight"] == 2


def test_rates_fall_from_the_heads_down_to_the_embeddings(model: MultiTaskModel) -> None:
    groups = parameter_groups(model, RATES, 0.01)

    rate = {name: group["lr"] for group in groups for name in names_of(group)}
    assert rate["heads.topic.0.weight"] == 1e-3
    assert rate["backbone.encoder.layer.1.attention.self.query.weight"] == 1e-4
    assert rate["backbone.encoder.layer.0.attention.self.query.weight"] == 0.5e-4
    assert rate["backbone.embeddings.word_embeddings.weight"] == 0.25e-4


def test_a_wrapper_that_renames_parameters_changes_no_rate(model: MultiTaskModel) -> None:
    # P34: peft puts the encoder's own weights behind other names.
    adapted = get_peft_model(model, LoraConfig(target_modules=["query"], modules_to_save=["heads.topic"]))

    groups = parameter_groups(adapted, RATES, 0.01)

    rate = {name: group["lr"] for group in groups for name in names_of(group)}
    lora = "base_model.model.backbone.encoder.layer.{}.attention.self.query.lora_A.default.weight"
    assert (rate[lora.format(1)], rate[lora.format(0)]) == (1e-4, 0.5e-4)


def test_the_heads_come_first_for_the_trainer_logs_the_first_rate(model: MultiTaskModel) -> None:
    first = parameter_groups(model, RATES, 0.01)[0]

    assert first["lr"] == 1e-3
    assert all(name.startswith("heads.") for name in names_of(first))


@pytest.mark.parametrize("name", ["media_bias", "norm", "layernorm_q"])
def test_a_task_called_bias_or_norm_is_still_decayed(name: str) -> None:
    # P16: transformers decides by names and would take the decay from these heads.
    tasks = [{"name": name, "problem_type": "regression"}]
    model = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks))

    decay = {n: group["weight_decay"] for group in parameter_groups(model, RATES, 0.01) for n in names_of(group)}

    assert decay[f"heads.{name}.0.weight"] == 0.01
    assert decay[f"heads.{name}.0.bias"] == 0.0
    assert decay["backbone.embeddings.LayerNorm.weight"] == 0.0


def test_frozen_parameters_are_in_the_groups_so_that_they_can_be_unfrozen(model: MultiTaskModel) -> None:
    model.backbone.requires_grad_(False)

    names = [name for group in parameter_groups(model, RATES, 0.01) for name in names_of(group)]

    assert "backbone.embeddings.word_embeddings.weight" in names


def test_cut_points_of_ranks_are_not_decayed(model: MultiTaskModel) -> None:
    decay = {n: group["weight_decay"] for group in parameter_groups(model, RATES, 0.01) for n in names_of(group)}

    assert (decay["heads.grade.7.score.weight"], decay["heads.grade.7.cuts"]) == (0.01, 0.0)


@pytest.mark.parametrize(
    ("given", "rate"), [({}, 1e-2), ({"cut_points": 3e-3}, 3e-3), ({"patterns": {"cuts": 5e-3}}, 5e-3)]
)
def test_cut_points_have_ten_times_the_rate_of_the_heads_or_their_own(
    model: MultiTaskModel, given: dict[str, Any], rate: float
) -> None:
    groups = parameter_groups(model, LearningRates(heads=1e-3, backbone=1e-4, **given), 0.01)

    assert {name: group["lr"] for group in groups for name in names_of(group)}["heads.grade.7.cuts"] == rate


def test_groups_are_named_by_their_part_from_the_top_down(model: MultiTaskModel) -> None:
    names = [group["name"] for group in parameter_groups(model, RATES, 0.01)]

    assert list(dict.fromkeys(names)) == ["heads", "cut_points", "layers.1", "layers.0", "embeddings"]


def test_each_group_has_its_rate_in_every_phase_and_the_first_to_begin_with(model: MultiTaskModel) -> None:
    groups = parameter_groups(model, [LearningRates(heads=1e-2), RATES], 0.01)

    rates = {group["name"]: (group["lr"], group["rates"]) for group in groups}
    assert rates == {
        "heads": (1e-2, (1e-2, 1e-3)),
        "cut_points": (1e-1, (1e-1, 1e-2)),
        "layers.1": (0.0, (0.0, 1e-4)),
        "layers.0": (0.0, (0.0, 0.5e-4)),
        "embeddings": (0.0, (0.0, 0.25e-4)),
    }


def test_what_one_phase_tells_apart_is_apart_in_every_phase(model: MultiTaskModel) -> None:
    apart = LearningRates(heads=1e-3, backbone=1e-4, layer_decay=0.5, patterns={r"^heads\.topic\.": 2e-3})

    groups = [group for group in parameter_groups(model, [RATES, apart], 0.01) if group["name"] == "heads"]

    topic = [group["rates"] for group in groups if names_of(group)[0].startswith("heads.topic.")]
    assert topic == [(1e-3, 2e-3)] * 2
    assert {group["rates"] for group in groups} == {(1e-3, 1e-3), (1e-3, 2e-3)}


def test_groups_are_taken_by_an_optimizer_of_torch_and_come_back_from_its_state(model: MultiTaskModel) -> None:
    groups = parameter_groups(model, [RATES, RATES], 0.01)
    saved = torch.optim.AdamW(groups).state_dict()

    again = torch.optim.AdamW(parameter_groups(model, [RATES, RATES], 0.01))
    again.load_state_dict(saved)

    assert [(group["name"], group["rates"]) for group in again.param_groups] == [
        (group["name"], group["rates"]) for group in groups
    ]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("backbone.embeddings.word_embeddings.weight", "backbone.embeddings.word_embeddings.weight"),
        ("base_model.model.backbone.layer.0.query.base_layer.weight", "backbone.layer.0.query.weight"),
        (
            "base_model.model.backbone.layer.0.query.lora_A.default.weight",
            "backbone.layer.0.query.lora_A.default.weight",
        ),
        ("base_model.model.heads.topic.original_module.0.bias", "heads.topic.0.bias"),
        ("base_model.model.heads.topic.modules_to_save.default.0.bias", "heads.topic.0.bias"),
        ("base_model.model.heads.modules_to_save.default.topic.0.bias", "heads.topic.0.bias"),
    ],
)
def test_a_plain_name_is_without_what_peft_adds(name: str, plain: str) -> None:
    # P34
    assert plain_name(name) == plain


def test_patterns_are_searched_in_names_without_what_peft_adds(model: MultiTaskModel) -> None:
    # P34
    adapted = get_peft_model(model, LoraConfig(target_modules=["query"], modules_to_save=["heads.topic"]))
    patterns = {r"^heads\.topic\.0\.weight$": 3.0, r"self\.query\.weight$": 2.0, ".*": 1.0}

    groups = parameter_groups(adapted, LearningRates(patterns=patterns), 0.01)

    rate = {name: group["lr"] for group in groups for name in names_of(group)}
    assert rate["base_model.model.heads.topic.modules_to_save.default.0.weight"] == 3.0
    assert rate["base_model.model.backbone.encoder.layer.0.attention.self.query.base_layer.weight"] == 2.0
    assert rate["base_model.model.backbone.encoder.layer.0.attention.self.key.weight"] == 1.0
