"""The sentence-transformers files are read from backbones, and written for every model."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.inference import encode
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.sentence_transformers_multitask import (
    POOLING_KEYS,
    read_embedding_settings,
    write_sentence_transformers_files,
)
from tests.conftest import MINILM, needs_minilm, tasks_of_each_type, tiny_bert_config

TEXTS = ["the film was good", "bad", "good " * 300]


def theirs(backbone: Path, folder: Path, *modules: torch.nn.Module) -> Path:
    transformer = Transformer(str(backbone))
    transformer.max_seq_length = 12
    SentenceTransformer(modules=[transformer, *modules]).save(str(folder))
    return folder


def test_a_backbone_that_says_nothing_leaves_everything_open(backbone: Path) -> None:
    settings = read_embedding_settings(str(backbone))

    assert (settings.pooling, settings.normalize, settings.max_length) == (None, None, None)


@pytest.mark.parametrize("pooling", POOLING_KEYS)
def test_pooling_and_normalisation_of_a_saved_sentence_transformer_are_honoured(
    backbone: Path, tmp_path: Path, pooling: str
) -> None:
    mode = "mean_sqrt_len_tokens" if pooling == "mean_sqrt_len" else pooling
    folder = theirs(backbone, tmp_path, Pooling(32, pooling_mode=mode), Normalize())

    model = MultiTaskModel.from_backbone(folder, tasks_of_each_type())

    assert (model.config.pooling, model.config.normalize) == (pooling, True)


@pytest.mark.compat
def test_embeddings_equal_those_of_the_sentence_transformer_it_was_built_on(backbone: Path, tmp_path: Path) -> None:
    folder = theirs(backbone, tmp_path, Pooling(32, pooling_mode="mean"))
    model = MultiTaskModel.from_backbone(folder, tasks_of_each_type())

    ours, expected = encode(model, TEXTS), SentenceTransformer(str(folder)).encode(TEXTS)

    assert ours == pytest.approx(expected, abs=1e-5)


def test_what_is_given_goes_before_what_the_backbone_says(backbone: Path, tmp_path: Path) -> None:
    folder = theirs(backbone, tmp_path, Pooling(32, pooling_mode="mean"), Normalize())

    config = MultiTaskModel.from_backbone(
        folder, tasks_of_each_type(), pooling="cls", normalize=False, max_length=9
    ).config

    assert (config.pooling, config.normalize, config.max_length) == ("cls", False, 9)


def test_several_poolings_at_once_are_refused(backbone: Path, tmp_path: Path) -> None:
    folder = theirs(backbone, tmp_path, Pooling(32, pooling_mode=("mean", "max")))

    with pytest.raises(ValueError, match=r"pooling is \['mean', 'max'\]; set pooling to one of cls, mean"):
        read_embedding_settings(str(folder))


@pytest.mark.parametrize(
    ("modules", "names"),
    [
        ([LayerNorm(32)], "LayerNorm"),
        ([Normalize(), Dense(32, 8)], "Normalize, Dense"),
        ([Dense(32, 32), Normalize(), Dense(32, 8)], "Dense, Normalize, Dense"),
    ],
)
def test_modules_that_are_not_supported_together_are_refused(
    backbone: Path, tmp_path: Path, modules: list[torch.nn.Module], names: str
) -> None:
    folder = theirs(backbone, tmp_path, Pooling(32), *modules)

    with pytest.raises(ValueError, match=f"its modules are Transformer, Pooling, {names}, which together are not supp"):
        read_embedding_settings(str(folder))


@pytest.mark.compat
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("pooling", POOLING_KEYS)
def test_a_saved_model_is_a_sentence_transformer_with_the_same_embeddings(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, pooling: str, normalize: bool
) -> None:
    # P58: the last text has 300 tokens, the model takes 16.
    config = MultiTaskConfig(
        backbone_config=tiny_bert_config(),
        tasks=tasks_of_each_type(),
        pooling=pooling,
        normalize=normalize,
        max_length=16,
    )
    model = MultiTaskModel(config)
    save_folder(model, tokenizer, tmp_path)

    loaded = SentenceTransformer(str(tmp_path), trust_remote_code=True)

    assert loaded.max_seq_length == 16
    assert loaded.encode(TEXTS) == pytest.approx(encode(model, TEXTS, tokenizer=tokenizer), abs=1e-5)


def test_a_pooling_that_sentence_transformers_does_not_know_is_not_taken_for_the_mean(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase, model: MultiTaskModel, caplog: pytest.LogCaptureFixture
) -> None:
    # P91
    save_folder(model, tokenizer, tmp_path)
    config: Any = SimpleNamespace(**{**vars(model.config), "pooling": "root_mean_square"})

    with caplog.at_level(logging.WARNING):
        write_sentence_transformers_files(config, tmp_path)

    assert "does not support the pooling 'root_mean_square'" in caplog.text
    with pytest.raises(ValueError, match="Invalid pooling mode: 'root_mean_square'"):
        SentenceTransformer(str(tmp_path), trust_remote_code=True)
    with pytest.raises(ValueError, match=r"pooling is \['root_mean_square'\]; set pooling to one of cls, mean"):
        read_embedding_settings(str(tmp_path))


def test_the_written_pooling_is_one_that_earlier_releases_read(tmp_path: Path, model: MultiTaskModel) -> None:
    model.save_pretrained(tmp_path)

    written = json.loads((tmp_path / "1_Pooling" / "config.json").read_text())

    assert written["word_embedding_dimension"] == 32
    assert next(key for key, value in written.items() if value is True) == "pooling_mode_mean_tokens"
    assert [key for key, value in written.items() if key.startswith("pooling_mode_") and value] == [
        "pooling_mode_mean_tokens"
    ]


@pytest.mark.compat
@needs_minilm
def test_minilm_is_read_with_its_own_pooling_normalisation_and_length() -> None:
    # P58: it ships three limits (128, 256 and 512); sentence-transformers' own is 256.
    config = MultiTaskModel.from_backbone(MINILM, tasks_of_each_type()).config

    assert (config.pooling, config.normalize, config.max_length) == ("mean", True, 256)
