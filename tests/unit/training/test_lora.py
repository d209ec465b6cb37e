"""Adapters: every head is trained, the rest of the encoder is not, and the saved model gives the trained logits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModel, BertTokenizer, ConvBertConfig, PreTrainedTokenizerBase

from modeling_multitask import (
    MultiTaskCollator,
    MultiTaskConfig,
    MultiTaskModel,
    MultiTaskTrainer,
    MultiTaskTrainingArguments,
)
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.training.adapter import save_adapter
from modeling_multitask.training.growing import grow
from modeling_multitask.training.lora import _check_trainable, add_lora, lora_problem, target_modules
from modeling_multitask.training.parameter_groups import parameter_groups, plain_name
from modeling_multitask.training.rates import LearningRates
from tests.conftest import random_batch, rows_with_gaps, tasks_of_each_type, tiny_bert_config
from tests.fresh_process import run_fresh
from tests.unit.test_modeling import FAMILIES, of_family

TASKS = tasks_of_each_type()[:2]  # topic and sentiment
KINDS = {
    "LoRA": {"r": 2},
    "DoRA": {"r": 2, "use_dora": True},
    "rsLoRA": {"r": 2, "use_rslora": True},
    "all linear layers": {"r": 2, "target_modules": "all-linear"},
    "biases too": {"r": 2, "bias": "lora_only"},
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def adapted(model: MultiTaskModel, **settings: Any) -> PeftModel:
    """With adapters, and with heads and adapters that are no longer as they began."""
    wrapped = add_lora(model, {"r": 2, **settings}).eval()
    for parameter in wrapped.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=0.1)
    return wrapped


def logits_of(model: nn.Module) -> dict[str, Tensor]:
    """By task; in eval mode, of a batch that is always the same."""
    torch.manual_seed(1)
    with torch.no_grad():
        return model.eval()(**random_batch()).logits


def unlike(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """The names of those that are further apart than rounding."""
    return [name for name in one if not torch.allclose(one[name], other[name], rtol=0, atol=1e-6)]


def trained_names(model: nn.Module) -> set[str]:
    return {plain_name(name) for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_every_head_trains_whole(model: MultiTaskModel) -> None:
    # P21, P23
    heads = {name for name, _ in model.named_parameters() if name.startswith("heads.")}

    assert {name for name in trained_names(add_lora(model, {"r": 2})) if name.startswith("heads.")} == heads


def test_of_the_encoder_only_the_adapters_train(model: MultiTaskModel) -> None:
    trained = {name for name in trained_names(add_lora(model, {"r": 2})) if not name.startswith("heads.")}

    layers = [f"backbone.encoder.layer.{i}.attention.self.{part}" for i in (0, 1) for part in ("query", "value")]
    assert trained == {f"{layer}.lora_{side}.default.weight" for layer in layers for side in "AB"}


@pytest.mark.parametrize("name", ["dense", "query"])
def test_a_head_named_as_a_layer_is_changes_nothing_of_the_encoder(name: str) -> None:
    # P22: peft looks for what is to be saved by how names end, and six layers of an encoder end in `dense`.
    tasks = [{**TASKS[0], "name": name}]
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks)

    trained = trained_names(add_lora(MultiTaskModel(config), {"target_modules": ["query"]}))

    heads = {each for each in trained if each.startswith("heads.")}
    assert heads == {each for each, _ in MultiTaskModel(config).named_parameters() if each.startswith("heads.")}
    assert {each for each in trained - heads if "self.query.lora_" not in each} == set()


def test_a_regular_expression_that_would_match_heads_leaves_them_alone(model: MultiTaskModel) -> None:
    # P22: the hidden layer of the first head is `heads.topic.0`.
    wrapped = add_lora(model, {"target_modules": r".*(query|topic\.0)"})

    assert [name for name in trained_names(wrapped) if name.startswith("heads.") and "lora_" in name] == []


def test_a_layer_that_peft_would_train_whole_is_noticed(model: MultiTaskModel) -> None:
    # P22
    heads = [f"heads.{task.name}" for task in model.config.tasks]
    wrapped = get_peft_model(model, LoraConfig(target_modules=["query"], modules_to_save=[*heads, "output.dense"]))

    with pytest.raises(RuntimeError, match=r"the heads \[\] are frozen, and \['.*\.output\.dense\.modules_to_save"):
        _check_trainable(wrapped, heads)


def test_a_head_that_peft_left_frozen_is_noticed(model: MultiTaskModel) -> None:
    # P23: a name that is not there is accepted silently.
    wrapped = get_peft_model(model, LoraConfig(target_modules=["query"], modules_to_save=["head.topic"]))

    with pytest.raises(RuntimeError, match=r"the heads \['heads.topic'\] are frozen, and \[\] train in full"):
        _check_trainable(wrapped, ["heads.topic"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["qeury"], "no layer is named 'qeury'; layers here: dense, key, query, value$"),
        (["query", "topic"], "no layer is named 'topic'; layers here: dense,"),
        (["self"], "no layer is named 'self'"),
        (
            r"encoder\.query",
            r"'encoder\\\\.query' matches no layer; layers have names such as 'backbone.encoder.layer.0.attention",
        ),
        (r"heads\..*", "'heads.*' matches no layer"),
        ("((", r"'\(\(' is not a valid regular expression \(missing \)"),
        ([], "is empty; name layers, or leave it out"),
    ],
)
def test_names_of_no_layer_are_refused(model: MultiTaskModel, given: Any, message: str) -> None:
    # P23
    with pytest.raises(ValueError, match=rf"^lora\.target_modules: {message}"):
        add_lora(model, {"target_modules": given})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lora_alfa": 8}, "lora_alfa: no such word; did you mean 'lora_alpha'?"),
        ({"modules_to_save": []}, "modules_to_save: cannot be set; every head is always trained and saved"),
        ({"task_type": "SEQ_CLS"}, "task_type: cannot be set; a multi-task model has no task type of peft"),
        ({"peft_type": "IA3"}, "peft_type: cannot be set; it is always LORA"),
        ({"inference_mode": True}, "inference_mode: cannot be set; new adapters are always trainable"),
        (
            {"layers_to_transform": [1]},
            "layers_to_transform: cannot be set; give target_modules a regular expression with the layers' numbers",
        ),
        (
            {"layers_pattern": "layer"},
            "layers_pattern: cannot be set; give target_modules a regular expression with the layers' numbers",
        ),
        (
            {"base_model_name_or_path": "x"},
            "base_model_name_or_path: cannot be set; it is set when the adapter is saved",
        ),
        ({"auto_mapping": {}}, "auto_mapping: cannot be set; it is set when the adapter is saved"),
        (
            {"alora_invocation_tokens": [1]},
            "alora_invocation_tokens: cannot be set; aLoRA cannot be merged into the encoder",
        ),
    ],
)
def test_settings_that_are_unknown_or_decided_are_refused(settings: dict, message: str) -> None:
    assert str(lora_problem(settings)).startswith(message)


def test_a_refused_setting_is_named_with_its_place(model: MultiTaskModel) -> None:
    with pytest.raises(ValueError, match=r"^lora\.modules_to_save: cannot be set"):
        add_lora(model, {"modules_to_save": ["heads"]})


@pytest.mark.compat
@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_settings_of_peft_can_be_given(settings: dict) -> None:
    assert lora_problem(settings) is None


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("bert", {"query", "value"}),
        ("roberta", {"query", "value"}),
        ("electra", {"query", "value"}),
        ("deberta-v2", {"query_proj", "value_proj"}),
        ("mpnet", {"q", "k", "v", "o", "dense"}),
        ("distilbert", {"q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"}),
        ("modernbert", {"Wqkv", "Wo", "Wi"}),
        ("albert", {"embedding_hidden_mapping_in", "query", "key", "value", "dense", "ffn", "ffn_output"}),
    ],
)
def test_layers_are_found_for_every_family(family: str, names: set[str]) -> None:
    # Those that peft knows for the family, else all linear ones.
    wrapped = add_lora(of_family(family), {"r": 2})

    adapters = {name.split(".lora_")[0] for name in trained_names(wrapped) if ".lora_" in name}
    assert {name.rpartition(".")[2] for name in adapters} == names


@pytest.mark.compat
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_the_same_logits_after_merging(family: str) -> None:
    wrapped = adapted(of_family(family))
    before = logits_of(wrapped)

    assert unlike(before, logits_of(wrapped.merge_and_unload())) == []


def test_an_architecture_that_peft_does_not_know_gets_adapters_on_all_linear_layers() -> None:
    sizes = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    backbone = ConvBertConfig(**sizes, embedding_size=16, intermediate_size=64)
    model = MultiTaskModel(MultiTaskConfig(backbone_config=backbone, tasks=TASKS))
    linear = {name for name, module in model.backbone.named_modules() if isinstance(module, nn.Linear)}

    trained = trained_names(add_lora(model, {"r": 2}))

    assert {name.split(".lora_")[0].removeprefix("backbone.") for name in trained if ".lora_" in name} == linear


def test_all_linear_layers_are_those_of_the_encoder(model: MultiTaskModel) -> None:
    assert target_modules(model, "all-linear") == r"backbone\.(?:.*\.)?(?:dense|key|query|value)"


def test_a_layer_is_chosen_by_a_regular_expression(model: MultiTaskModel) -> None:
    wrapped = add_lora(model, {"target_modules": r".*layer\.1\..*query"})

    adapters = {name.split(".lora_")[0] for name in trained_names(wrapped) if ".lora_" in name}
    assert adapters == {"backbone.encoder.layer.1.attention.self.query"}


def test_embeddings_of_single_tokens_can_train(model: MultiTaskModel) -> None:
    trained = trained_names(add_lora(model, {"trainable_token_indices": [7]}))

    assert any("trainable_tokens_delta" in name for name in trained)


class Saved(NamedTuple):
    """A trained model's logits, and the folders of it merged and of its adapter."""

    logits: dict[str, Tensor]
    merged: Path
    adapter: Path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> dict[str, Saved]:
    """By kind."""
    tokenizer = BertTokenizer.from_pretrained(backbone)
    made = {}
    for kind, settings in KINDS.items():
        folder = tmp_path_factory.mktemp("saved")
        torch.manual_seed(0)
        config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), max_length=16)
        model = adapted(MultiTaskModel(config), **settings)
        logits = logits_of(model)
        save_adapter(model, tokenizer, folder / "adapter")
        save_folder(model.merge_and_unload(), tokenizer, folder / "merged")
        made[kind] = Saved(logits, folder / "merged", folder / "adapter")
    return made


LOAD = """
import json
import torch
from transformers import AutoModel
from peft import AutoPeftModel
torch.manual_seed(1)
batch = {name: torch.tensor(rows) for name, rows in json.loads(sys.argv[1]).items()}
result = {}
for folder in sys.argv[2:]:
    load = AutoPeftModel if folder.endswith("adapter") else AutoModel
    with torch.no_grad():
        logits = load.from_pretrained(folder, trust_remote_code=True).eval()(**batch).logits
    result[folder] = {name: rows.tolist() for name, rows in logits.items()}
"""


@pytest.fixture(scope="module")
def strangers_logits(saved: dict[str, Saved], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By folder, what a process gives that cannot import this package."""
    torch.manual_seed(1)
    batch = json.dumps({name: rows.tolist() for name, rows in random_batch().items()})
    folders = [folder for each in saved.values() for folder in (each.merged, each.adapter)]
    return run_fresh(LOAD, batch, *folders, folder=tmp_path_factory.mktemp("stranger"))


@pytest.mark.compat
@each_kind
@pytest.mark.parametrize("what", ["merged", "adapter"])
def test_a_stranger_gets_the_trained_logits_of_every_head(
    saved: dict[str, Saved], strangers_logits: dict[str, Any], kind: str, what: str
) -> None:
    # P21, P24: the merged folder by AutoModel, that of the adapter by AutoPeftModel.
    there = strangers_logits[str(getattr(saved[kind], what))]

    assert unlike(saved[kind].logits, {name: torch.tensor(rows) for name, rows in there.items()}) == []


@each_kind
@pytest.mark.parametrize("what", ["merged", "adapter"])
def test_our_own_class_loads_the_trained_logits_of_every_head(saved: dict[str, Saved], kind: str, what: str) -> None:
    # P24, P25
    loaded = MultiTaskModel.from_pretrained(getattr(saved[kind], what))

    assert unlike(saved[kind].logits, logits_of(loaded)) == []


@each_kind
def test_the_merged_weights_are_those_of_a_model_that_never_had_adapters(saved: dict[str, Saved], kind: str) -> None:
    # P24: no `lora_`, no `original_module`.
    config = MultiTaskConfig.from_pretrained(saved[kind].merged)

    assert set(load_file(saved[kind].merged / "model.safetensors")) == set(MultiTaskModel(config).state_dict())


@pytest.mark.parametrize("folder", ["merged", "adapter/base"])
def test_a_folder_that_is_loaded_by_auto_model_has_its_configuration(saved: dict[str, Saved], folder: str) -> None:
    # P25
    path = saved["LoRA"].merged.parent / folder

    assert (path / "config.json").is_file()
    assert isinstance(AutoModel.from_pretrained(path), MultiTaskModel)


def test_what_is_saved_is_merged_since_without_adapters_the_heads_are_those_of_before(model: MultiTaskModel) -> None:
    # P26: `disable_adapter` goes back to the heads as they were drawn.
    untrained = logits_of(model)
    wrapped = adapted(model)
    trained = logits_of(wrapped)
    with wrapped.disable_adapter():
        disabled = logits_of(wrapped)

    merged = logits_of(wrapped.merge_and_unload())

    assert unlike(disabled, untrained) == []
    assert unlike(merged, trained) == []
    assert unlike(merged, disabled) == ["topic", "sentiment", "tags", "rating", "grade"]


def test_a_task_that_is_added_after_merging_leaves_the_old_heads_as_they_were_trained(model: MultiTaskModel) -> None:
    # P27
    wrapped = adapted(model)
    trained = logits_of(wrapped)
    fresh = {"name": "fresh", "problem_type": "binary_classification", "labels": ["no", "yes"]}

    grown = grow(wrapped.merge_and_unload(), [*tasks_of_each_type(), fresh])

    assert unlike(trained, logits_of(grown)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_every_trainable_parameter_is_in_one_group_with_the_rate_of_its_layer(family: str) -> None:
    # P34: peft renames them all.
    wrapped = add_lora(of_family(family), {"r": 2, "target_modules": "all-linear"})
    rates = LearningRates(heads=1e-3, backbone=1e-4, layer_decay=0.5)

    pairs = [(name, group["name"]) for group in parameter_groups(wrapped, rates, 0.01) for name, _ in group["params"]]

    trained = {name for name, parameter in wrapped.named_parameters() if parameter.requires_grad}
    assert sorted(name for name, _ in pairs if name in trained) == sorted(trained)
    assert {part for name, part in pairs if ".heads." in name} == {"heads", "cut_points"}
    assert {part for name, part in pairs if "lora_" in name and ".0." in name} <= {"layers.0", "embeddings"}


@pytest.fixture
def build(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerBase) -> Callable:
    """A trainer of a run of its own, of an adapted model that begins with weights of that seed."""

    def trainer(*, seed: int = 0, lora: dict | None = None, **settings: Any) -> MultiTaskTrainer:
        defaults = {"num_train_epochs": 3, "per_device_train_batch_size": 4, "report_to": "none", "disable_tqdm": True}
        defaults |= {
            "learning_rate": None if "learning_rates" in settings else 1e-2,
            "use_cpu": True,
            "dataloader_pin_memory": False,
        }
        torch.manual_seed(0)
        config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=TASKS, max_length=16)
        model = MultiTaskModel(config)
        torch.manual_seed(seed)
        wrapped = add_lora(model, {"r": 2, "lora_dropout": 0.1, **(lora or {})})
        return MultiTaskTrainer(
            wrapped,
            MultiTaskTrainingArguments(str(tmp_path_factory.mktemp("run")), **{**defaults, **settings}),
            data_collator=MultiTaskCollator(tokenizer, config),
            train_dataset=rows_with_gaps(12),
            eval_dataset=rows_with_gaps(12),
            processing_class=tokenizer,
        )

    return trainer


def test_heads_and_adapters_move_in_training_and_the_encoder_does_not(build: Callable) -> None:
    trainer = build()
    before = {name: each.clone() for name, each in trainer.model.named_parameters()}
    trained = {name for name, each in trainer.model.named_parameters() if each.requires_grad}

    trainer.train()

    moved = {name for name, each in trainer.model.named_parameters() if not torch.equal(before[name], each)}
    assert moved == trained


@pytest.mark.compat
@pytest.mark.parametrize(
    "lora", [{}, {"use_dora": True}, {"init_lora_weights": "pissa"}], ids=["LoRA", "DoRA", "PiSSA"]
)
def test_a_resumed_run_with_adapters_ends_with_the_weights_of_an_uninterrupted_one(build: Callable, lora: dict) -> None:
    # P19
    whole = build(lora=lora, save_strategy="steps", save_steps=4)
    whole.train()
    resumed = build(seed=1, lora=lora)

    resumed.train(resume_from_checkpoint=f"{whole.args.output_dir}/checkpoint-4")

    ends = [trainer.model.state_dict() for trainer in (whole, resumed)]
    assert [name for name in ends[0] if not torch.equal(ends[0][name], ends[1][name])] == []


def test_the_best_checkpoint_brings_back_heads_and_adapters(build: Callable) -> None:
    # The best is the one with the greatest loss here, which is the first.
    kept = {"eval_strategy": "epoch", "save_strategy": "epoch", "metric_for_best_model": "loss"}
    trainer = build(load_best_model_at_end=True, greater_is_better=True, **kept)

    trainer.train()

    best, there = load_file(f"{trainer.args.output_dir}/checkpoint-3/adapter_model.safetensors"), trainer.model
    assert trainer.state.best_model_checkpoint.endswith("checkpoint-3")
    assert [name for name, each in get_peft_model_state_dict(there).items() if not torch.equal(each, best[name])] == []
