"""The model: all encoder families, the heads, and saving and loading."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel, BertConfig, BertModel, PreTrainedConfig, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.paths_multitask import resolve_model_path
from tests.conftest import random_batch, tasks_of_each_type, tiny_bert_config

SMALL = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
FAMILIES: dict[str, PreTrainedConfig] = {
    "bert": tiny_bert_config(),
    "minilm": tiny_bert_config(num_hidden_layers=6),
    "roberta": transformers.RobertaConfig(**SMALL, **SPECIAL),
    "xlm-roberta": transformers.XLMRobertaConfig(**SMALL, **SPECIAL),
    "distilbert": transformers.DistilBertConfig(vocab_size=40, dim=32, n_layers=2, n_heads=2, hidden_dim=64),
    "mpnet": transformers.MPNetConfig(**SMALL, **SPECIAL),
    "electra": transformers.ElectraConfig(**SMALL, embedding_size=16),
    "deberta-v2": transformers.DebertaV2Config(**SMALL, relative_attention=True, pos_att_type=["p2c", "c2p"]),
    "modernbert": transformers.ModernBertConfig(**SMALL, **SPECIAL, cls_token_id=1, sep_token_id=2),
    "albert": transformers.AlbertConfig(**SMALL, embedding_size=16),
    "qwen3": transformers.Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=16, pad_token_id=0),  # a decoder
}
each_family = pytest.mark.parametrize("family", FAMILIES)


def of_family(family: str, **settings: Any) -> MultiTaskModel:
    return MultiTaskModel(
        MultiTaskConfig(backbone_config=FAMILIES[family], tasks=tasks_of_each_type(), **settings)
    ).eval()


@each_family
def test_every_family_gives_all_logits_from_one_pass(family: str) -> None:
    output = of_family(family)(**random_batch())

    assert {name: tuple(logits.shape) for name, logits in output.logits.items()} == {
        "topic": (6, 3),
        "sentiment": (6, 1),
        "tags": (6, 2),
        "rating": (6, 1),
        "grade": (6, 2),
    }
    assert output.embeddings.shape == (6, 32)
    assert output.last_hidden_state.shape == (6, 8, 32)
    assert output.loss is None


@each_family
def test_every_family_saves_and_loads_to_equal_logits(family: str, tmp_path: Path) -> None:
    # P37: without post_init() this load fails. P38: a backbone loaded in __init__ would meet the meta device here.
    # P39: a non-persistent buffer that held values would come back uninitialised.
    model, batch = of_family(family), random_batch()
    model.save_pretrained(tmp_path)

    again = MultiTaskModel.from_pretrained(tmp_path).eval()

    assert torch.equal(again(**batch).logits["topic"], model(**batch).logits["topic"])
    assert {name: buffer.tolist() for name, buffer in again.named_buffers()} == {
        name: buffer.tolist() for name, buffer in model.named_buffers()
    }


@each_family
def test_every_parameter_of_every_family_gets_a_gradient(family: str) -> None:
    # An unused pooler would get none, which stops DDP.
    model = of_family(family)

    sum(logits.sum() for logits in model(**random_batch()).logits.values()).backward()

    # ModernBERT's first layer has no attention norm of its own; every other weight takes part.
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@each_family
def test_segments_are_accepted_by_every_family(family: str) -> None:
    # P47: MPNet, DistilBERT and ModernBERT know no token_type_ids, but pipelines pass what the tokenizer returns.
    batch = random_batch()

    output = of_family(family)(**batch, token_type_ids=torch.zeros_like(batch["input_ids"]), something_else=1)

    assert output.logits["topic"].shape == (6, 3)


def test_segments_reach_an_encoder_that_has_them(model: MultiTaskModel) -> None:
    # P47
    batch = random_batch()

    first = model(**batch, token_type_ids=torch.zeros_like(batch["input_ids"]))
    second = model(**batch, token_type_ids=torch.ones_like(batch["input_ids"]))

    assert not torch.allclose(first.embeddings, second.embeddings)


def test_hidden_states_come_when_asked_for(model: MultiTaskModel) -> None:
    assert len(model(**random_batch(), output_hidden_states=True).hidden_states) == 3


def test_normalised_embeddings_have_length_one() -> None:
    norms = of_family("bert", normalize=True)(**random_batch()).embeddings.norm(dim=1)

    assert torch.allclose(norms, torch.ones(6), atol=1e-6)


def test_the_default_head_is_two_blocks_with_dropout_between_them() -> None:
    head = of_family("bert").heads.topic

    assert [type(layer).__name__ for layer in head] == [
        *["Linear", "LayerNorm", "ReLU", "Dropout"],
        *["Linear", "LayerNorm", "ReLU"],
        "Linear",
    ]
    assert [tuple(layer.weight.shape) for layer in head if isinstance(layer, nn.Linear)] == [
        (256, 32),
        (64, 256),
        (3, 64),
    ]


def test_a_head_without_hidden_sizes_is_linear() -> None:
    assert [type(layer) for layer in of_family("bert", head={"hidden_sizes": []}).heads.topic] == [nn.Linear]


def test_a_task_may_bring_its_own_head() -> None:
    tasks = tasks_of_each_type()
    tasks[1]["head"] = {"hidden_sizes": [8], "normalization": "none", "activation": "tanh"}

    model = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks))

    assert [type(layer).__name__ for layer in model.heads.sentiment] == ["Linear", "Tanh", "Linear"]
    assert len(model.heads.topic) == 8


def test_tasks_given_one_and_the_same_head_do_not_share_weights(tmp_path: Path) -> None:
    # P42: shared weights cannot be saved unless they are declared tied.
    head = {"hidden_sizes": [8]}
    tasks = [{"name": name, "problem_type": "regression", "head": head} for name in ("one", "two")]
    model = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks))

    model.save_pretrained(tmp_path)

    assert model.heads.one[0].weight.data_ptr() != model.heads.two[0].weight.data_ptr()
    again = MultiTaskModel.from_pretrained(tmp_path)
    assert torch.equal(again.heads.two[0].weight, model.heads.two[0].weight)


def test_saved_head_weights_are_not_drawn_anew(tmp_path: Path, model: MultiTaskModel) -> None:
    # P41
    for parameter in model.heads.parameters():
        nn.init.constant_(parameter, 3.5)
    model.save_pretrained(tmp_path)

    again = MultiTaskModel.from_pretrained(tmp_path)

    assert {value for parameter in again.heads.parameters() for value in parameter.unique().tolist()} == {3.5}


def test_weights_of_another_shape_are_drawn_on_request_and_not_garbage(tmp_path: Path, model: MultiTaskModel) -> None:
    # P40
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    changed = {n: value.new_zeros(1, 2, 3) if n.startswith("heads.") else value for n, value in load_file(path).items()}
    save_file(changed, path, {"format": "pt"})

    drawn = dict(MultiTaskModel.from_pretrained(tmp_path, ignore_mismatched_sizes=True).heads.named_parameters())

    matrices = [value.std().item() for value in drawn.values() if value.ndim == 2 and value.numel() > 1000]
    constants = [value.unique().tolist() for value in drawn.values() if value.ndim == 1]
    assert matrices == pytest.approx([0.02] * len(matrices), rel=0.1)
    assert all(value in ([0.0], [1.0]) for value in constants)


def test_own_modules_hold_no_buffer_that_is_not_saved(model: MultiTaskModel) -> None:
    # P39
    assert {f"heads.{name}" for name, _ in model.heads.named_buffers()} <= set(model.state_dict())


def test_loading_twice_gives_the_same_model(tmp_path: Path, model: MultiTaskModel) -> None:
    model.save_pretrained(tmp_path)

    first, second = (MultiTaskModel.from_pretrained(tmp_path).state_dict() for _ in range(2))

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_bfloat16_backbone_is_trained_in_float32_unless_asked_otherwise(tmp_path: Path) -> None:
    # P43: transformers 5 loads in the dtype of the file.
    BertModel(tiny_bert_config()).to(torch.bfloat16).save_pretrained(tmp_path)

    model = MultiTaskModel.from_backbone(tmp_path, tasks_of_each_type())
    asked = MultiTaskModel.from_backbone(tmp_path, tasks_of_each_type(), dtype=torch.bfloat16)

    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert {parameter.dtype for parameter in asked.parameters()} == {torch.bfloat16}


def test_dtype_and_attention_survive_saving_and_loading(tmp_path: Path, model: MultiTaskModel) -> None:
    # P46
    model.to(torch.bfloat16).save_pretrained(tmp_path)

    again = MultiTaskModel.from_pretrained(tmp_path, attn_implementation="eager")

    assert again.dtype == torch.bfloat16
    assert again.backbone.config._attn_implementation == "eager"


def test_a_plain_backbone_gives_mean_pooling_and_its_own_weights(backbone: Path) -> None:
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type())
    theirs = AutoModel.from_pretrained(backbone)

    assert (model.config.pooling, model.config.normalize, model.config.max_length) == ("mean", False, 64)
    assert torch.equal(model.backbone.embeddings.word_embeddings.weight, theirs.embeddings.word_embeddings.weight)
    assert model.backbone.pooler is None


@pytest.mark.parametrize(
    ("family", "limit"), [("bert", 64), ("roberta", 511), ("modernbert", 512), ("distilbert", 512)]
)
def test_the_default_length_is_512_or_what_the_encoder_can_number(family: str, limit: int) -> None:
    # RoBERTa's 512 positions begin behind the padding id, here 0, so that 511 are left.
    assert of_family(family).config.max_length == limit


def test_the_default_length_of_a_real_roberta_is_512() -> None:
    config = transformers.RobertaConfig(**SMALL, max_position_embeddings=514, pad_token_id=1)

    assert MultiTaskModel(MultiTaskConfig(backbone_config=config, tasks=tasks_of_each_type())).config.max_length == 512


@pytest.mark.parametrize(("family", "limit"), [("bert", 64), ("roberta", 511), ("distilbert", 512)])
def test_a_length_beyond_the_positions_of_the_encoder_is_refused(family: str, limit: int) -> None:
    with pytest.raises(ValueError, match=f"max_length is 600, but this encoder takes at most {limit} tokens"):
        of_family(family, max_length=600)


def test_a_backbone_that_brings_code_of_its_own_is_refused(tmp_path: Path) -> None:
    # P46
    (tmp_path / "config.json").write_text('{"model_type": "their_own", "auto_map": {"AutoModel": "x.Y"}}')

    with pytest.raises(ValueError, match="needs remote code of its own, which a saved model cannot contain"):
        MultiTaskModel.from_backbone(tmp_path, tasks_of_each_type())


def test_words_of_the_encoders_configuration_are_taken(backbone: Path) -> None:
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type(), hidden_dropout_prob=0.25)

    assert model.config.backbone_config.hidden_dropout_prob == 0.25
    assert model.backbone.embeddings.dropout.p == 0.25


def test_a_word_that_is_no_ones_is_refused(backbone: Path) -> None:
    with pytest.raises(TypeError, match="hidden_dropout_prop"):
        MultiTaskModel.from_backbone(backbone, tasks_of_each_type(), hidden_dropout_prop=0.25)


def test_a_new_model_is_in_eval_mode_like_a_loaded_one(backbone: Path) -> None:
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type())

    assert {module.training for module in model.modules()} == {False}


def test_a_text_of_the_default_length_runs(tokenizer: PreTrainedTokenizerBase) -> None:
    model = of_family("roberta")

    assert model(input_ids=torch.full((1, 511), 7)).embeddings.isfinite().all()


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="the Python package 'no_such_package' is not installed"):
        resolve_model_path("package:no_such_package/model")


def test_a_folder_that_a_package_lacks_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="the package 'transformers' has no folder 'weights'"):
        resolve_model_path("package:transformers/weights")


def test_a_folder_inside_a_package_is_found() -> None:
    assert resolve_model_path("package:transformers/models").endswith("transformers/models")


def test_hub_ids_and_folders_are_left_as_they_are(tmp_path: Path) -> None:
    assert resolve_model_path("me/model") == "me/model"
    assert resolve_model_path(tmp_path) == str(tmp_path)


def test_the_nested_configuration_is_that_of_the_backbone(backbone: Path) -> None:
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type())

    assert isinstance(model.config.backbone_config, BertConfig)
    assert model.config.backbone_config is model.backbone.config


def test_a_class_of_a_notebook_is_refused(config: MultiTaskConfig, tmp_path: Path) -> None:
    # P54: transformers warns, and saves no code.
    ours = type("Ours", (MultiTaskModel,), {"__module__": "__main__"})

    with pytest.raises(ValueError, match=r"Ours is defined in a script or notebook, .*move the class to a module"):
        ours(config).save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()
