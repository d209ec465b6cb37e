"""The dense layers of a sentence-transformers backbone are loaded, trained and saved as a part of the embedding."""

from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Dropout, Pooling
from torch import nn
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.dense_multitask import DenseConfig
from modeling_multitask.inference import encode
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.training.freezing import parameters_of
from modeling_multitask.training.growing import grow
from modeling_multitask.training.parameter_groups import parameter_depths
from tests.conftest import tasks_of_each_type, tiny_bert_config

TEXTS = ["the film was good", "bad", "the food the food was bad"]
TOLERANCE = 1e-6  # as of float32 numbers of size 1
IDENTITY = "torch.nn.modules.linear.Identity"


def theirs(backbone: Path, folder: Path, *modules: nn.Module) -> Path:
    SentenceTransformer(modules=[Transformer(str(backbone)), Pooling(32), *modules]).save(str(folder))
    return folder


# Of distiluse, LaBSE, EmbeddingGemma and INSTRUCTOR.
SHAPES = {
    "narrower": [Dense(32, 8)],
    "normalised": [Dense(32, 32), Normalize()],
    "two layers": [
        Dense(32, 64, bias=False, activation_function=nn.Identity()),
        Dense(64, 16, bias=False, activation_function=nn.Identity()),
        Normalize(),
    ],
    "without bias": [Dense(32, 32, bias=False, activation_function=nn.GELU()), Normalize()],
}


@pytest.mark.compat
@pytest.mark.parametrize("shape", SHAPES)
def test_embeddings_of_dense_layers_equal_those_of_sentence_transformers(
    backbone: Path, tmp_path: Path, shape: str
) -> None:
    # P132
    folder = theirs(backbone, tmp_path / "theirs", *SHAPES[shape])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = MultiTaskModel.from_backbone(folder, tasks_of_each_type())
    save_folder(model, tokenizer, tmp_path / "ours")
    expected = SentenceTransformer(str(folder)).encode(TEXTS)

    assert encode(model, TEXTS, tokenizer=tokenizer) == pytest.approx(expected, abs=TOLERANCE)
    for found in (
        encode(str(tmp_path / "ours"), TEXTS, dtype="float32"),
        SentenceTransformer(str(tmp_path / "ours"), trust_remote_code=True).encode(TEXTS),
    ):
        assert found == pytest.approx(expected, abs=TOLERANCE)


def test_the_heads_read_the_output_of_the_last_dense_layer(backbone: Path, tmp_path: Path) -> None:
    model = MultiTaskModel.from_backbone(theirs(backbone, tmp_path, *SHAPES["two layers"]), tasks_of_each_type())

    assert model.config.embedding_size == 16
    assert model.heads.topic[0].in_features == 16


def test_dense_layers_train_with_the_top_layer_of_the_encoder(backbone: Path, tmp_path: Path) -> None:
    model = MultiTaskModel.from_backbone(theirs(backbone, tmp_path, Dense(32, 8)), tasks_of_each_type())
    depths, top = parameter_depths(model)

    assert (depths["dense.0.linear.weight"], depths["heads.topic.0.weight"]) == (top, top + 1)
    assert "dense.0.linear.weight" in parameters_of(model, "backbone") & parameters_of(model, "last_layers.1")


def test_trained_dense_layers_are_saved_for_sentence_transformers(backbone: Path, tmp_path: Path) -> None:
    folder = theirs(backbone, tmp_path / "theirs", Dense(32, 8))
    model = MultiTaskModel.from_backbone(folder, tasks_of_each_type())
    with torch.no_grad():
        model.dense[0].linear.weight.mul_(2)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    save_folder(model, tokenizer, tmp_path / "ours")

    found = SentenceTransformer(str(tmp_path / "ours"), trust_remote_code=True).encode(TEXTS)
    assert found == pytest.approx(encode(model, TEXTS, tokenizer=tokenizer), abs=TOLERANCE)


def test_a_model_that_grows_keeps_its_dense_layers(backbone: Path, tmp_path: Path) -> None:
    model = MultiTaskModel.from_backbone(theirs(backbone, tmp_path, Dense(32, 8)), tasks_of_each_type())

    grown = grow(model, tasks_of_each_type()[:1])

    assert torch.equal(grown.dense[0].linear.weight, model.dense[0].linear.weight)


def test_a_dense_layer_without_weights_is_refused(backbone: Path, tmp_path: Path) -> None:
    folder = theirs(backbone, tmp_path, Dense(32, 8))
    (folder / "2_Dense" / "model.safetensors").unlink()

    with pytest.raises(ValueError, match="the dense layer 2_Dense has no weights; download the model again"):
        MultiTaskModel.from_backbone(folder, tasks_of_each_type())


def test_dense_weights_of_another_shape_are_refused(backbone: Path, tmp_path: Path) -> None:
    folder = theirs(backbone, tmp_path / "one", Dense(32, 8))
    other = theirs(backbone, tmp_path / "other", Dense(32, 16))
    (other / "2_Dense" / "model.safetensors").replace(folder / "2_Dense" / "model.safetensors")

    with pytest.raises(ValueError, match="the weights of the dense layer 2_Dense do not fit its settings"):
        MultiTaskModel.from_backbone(folder, tasks_of_each_type())


def test_a_dense_layer_that_does_not_fit_the_encoder_is_refused(backbone: Path, tmp_path: Path) -> None:
    folder = theirs(backbone, tmp_path, Dense(16, 8))

    with pytest.raises(ValueError, match="its dense layer takes 16 values, but its encoder returns 32"):
        MultiTaskModel.from_backbone(folder, tasks_of_each_type())


def test_dense_layers_that_do_not_follow_each_other_are_refused() -> None:
    layers = [{"in_features": 32, "out_features": 8}, {"in_features": 16, "out_features": 8}]

    with pytest.raises(ValueError, match=r"dense\[1\]: in_features is 16; it must be 8, the width of the layer before"):
        MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), dense=layers)


def test_a_residual_dense_layer_is_refused(backbone: Path, tmp_path: Path) -> None:
    folder = theirs(backbone, tmp_path, Dense(32, 32, use_residual=True))

    with pytest.raises(ValueError, match=r"dense\[0\]: 'use_residual' is not supported; allowed: in_features"):
        MultiTaskModel.from_backbone(folder, tasks_of_each_type())


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"activation_function is 'os\.system'; it must be one of torch\.nn\.modules"):
        DenseConfig(32, 8, activation_function="os.system")


def test_dropout_before_a_dense_layer_changes_nothing(backbone: Path, tmp_path: Path) -> None:
    folder = theirs(backbone, tmp_path, Dropout(0.5), Dense(32, 8))
    model = MultiTaskModel.from_backbone(folder, tasks_of_each_type())

    found = encode(model, TEXTS, tokenizer=AutoTokenizer.from_pretrained(folder))

    assert found == pytest.approx(SentenceTransformer(str(folder)).encode(TEXTS), abs=TOLERANCE)
