"""Cosines, neighbours and statistics of embeddings, from a trained model or a plain encoder."""

import json
import math
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, BartConfig, BertConfig, BertTokenizer, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import encode
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.inference.similarity import cosine_matrix, cosines, load_encoder, nearest, scaled, statistics
from tests.conftest import tasks_of_each_type

EAST, NORTH, WEST = [2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]
NORTHEAST = [1.0, 1.0]
COMPASS = np.array([EAST, NORTH, WEST, NORTHEAST], dtype=np.float32)
HALF = math.sqrt(0.5)
TEXTS = ["the good film", "a boring soup, not tasty", "the phone"]
LENGTHLESS = "embedding 2 of 3 has length 0 and therefore no cosine; remove its text"


class Writes:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def as_sentence_transformer(backbone: Path, folder: Path, pooling: str, subfolder: str = "") -> Path:
    """The encoder with files that say how it pools, that it normalises, and that it reads 8 tokens."""
    shutil.copytree(backbone, folder / subfolder)
    modules = [("Transformer", subfolder), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    listing = [{"type": f"sentence_transformers.models.{kind}", "path": path} for kind, path in modules]
    (folder / "modules.json").write_text(json.dumps(listing))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": pooling}))
    (folder / subfolder / "sentence_bert_config.json").write_text('{"max_seq_length": 8}')
    return folder


def test_the_cosine_of_two_rows_does_not_depend_on_their_lengths() -> None:
    found = cosines(COMPASS, np.array([NORTHEAST, NORTHEAST, EAST, EAST]))

    assert found == pytest.approx([HALF, HALF, -1, HALF])


def test_cosines_are_those_of_torch() -> None:
    one, other = torch.randn(2, 8, 384)

    found = cosines(one.numpy(), other.numpy())

    # torch sums 384 products in float32, which moves a cosine by about 1e-7.
    assert found == pytest.approx(torch.cosine_similarity(one, other).numpy(), abs=1e-6)


def test_no_cosine_is_above_1() -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 7))  # of them 227 would come out above 1, by rounding

    assert cosines(rows, rows).max() <= 1
    assert cosine_matrix(rows).max() <= 1


def test_a_matrix_has_the_cosine_of_every_two() -> None:
    expected = [[1, 0, -1, HALF], [0, 1, 0, HALF], [-1, 0, 1, -HALF], [HALF, HALF, -HALF, 1]]

    assert cosine_matrix(COMPASS) == pytest.approx(np.array(expected))


def test_a_matrix_with_others_has_a_column_for_each() -> None:
    assert cosine_matrix(COMPASS, COMPASS[:1]) == pytest.approx(np.array([[1], [0], [-1], [HALF]]))


def test_cosines_from_minus_1_to_1_are_scaled_from_0_to_1() -> None:
    assert scaled(np.array([-1.0, 0.0, 0.5, 1.0])).tolist() == [0, 0.5, 0.75, 1]


def test_the_nearest_come_first() -> None:
    found = nearest(np.array([1.0, 2.0]), COMPASS, top_k=2)

    assert [each.row for each in found] == [3, 1]
    assert [each.cosine for each in found] == pytest.approx([3 / math.sqrt(10), 2 / math.sqrt(5)])


def test_of_equally_near_rows_the_earlier_comes_first() -> None:
    rows = np.array([NORTH, EAST] * 50)

    assert [each.row for each in nearest(np.array(EAST), rows, top_k=50)] == list(range(1, 100, 2))


def test_there_are_no_more_neighbours_than_rows() -> None:
    assert len(nearest(np.array(EAST), COMPASS, top_k=100)) == 4


@pytest.mark.parametrize("other", [NORTH, EAST])
def test_an_embedding_without_length_has_no_cosine(other: list[float]) -> None:
    with pytest.raises(ValueError, match=LENGTHLESS):
        cosines(np.array([EAST, [0, 0], WEST]), np.array([other] * 3))


def test_an_embedding_without_length_has_no_place_in_a_matrix() -> None:
    with pytest.raises(ValueError, match=LENGTHLESS):
        cosine_matrix(np.array([EAST, [0, 0], WEST]))


def test_an_embedding_without_length_has_no_distance_to_a_query() -> None:
    with pytest.raises(ValueError, match=LENGTHLESS):
        nearest(np.array(NORTH), np.array([EAST, [0, 0], WEST]))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_embedding_that_is_not_finite_has_no_cosine(value: float) -> None:
    with pytest.raises(
        ValueError, match=f"embedding 1 of 1 has length {value:g}.* check the model if all embeddings are like this"
    ):
        cosine_matrix(np.array([[1.0, value]]))


def test_statistics_are_those_of_each_row() -> None:
    found = statistics(np.array([[4, 1, 3, 0], [2, 2, 2, 2]], dtype=np.float32))

    assert found.min.tolist() == [0, 2]
    assert found.max.tolist() == [4, 2]
    assert found.mean.tolist() == [2, 2]
    assert found.median.tolist() == [1, 2]  # the lower of 1 and 3
    assert found.std == pytest.approx([math.sqrt(10 / 3), 0])  # 4 + 1 + 1 + 4, by 4 - 1


@pytest.mark.parametrize("width", [7, 8])
def test_statistics_are_those_of_torch(width: int) -> None:
    rows = torch.randn(5, width, dtype=torch.float64)

    found = statistics(rows.numpy())

    expected = [rows.amin(1), rows.amax(1), rows.mean(1), rows.median(1).values, rows.std(1)]
    # Both in float64; only the order of the sums differs.
    assert np.stack(found) == pytest.approx(torch.stack(expected).numpy(), abs=1e-12)


def test_a_trained_model_gives_its_own_embeddings(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    save_folder(model, tokenizer, tmp_path)

    loaded, its_tokenizer = load_encoder(str(tmp_path))

    # The same weights in the same batches: equal but for the order of float32 sums.
    expected = encode(model, TEXTS, tokenizer=tokenizer)
    assert encode(loaded, TEXTS, tokenizer=its_tokenizer) == pytest.approx(expected, abs=1e-6)


def test_a_trained_model_normalises_as_it_was_trained_to(tmp_path: Path, backbone: Path) -> None:
    model = MultiTaskModel.from_backbone(backbone, tasks_of_each_type(), normalize=True)
    save_folder(model, BertTokenizer.from_pretrained(backbone), tmp_path)

    assert load_encoder(str(tmp_path))[0].config.normalize


def test_a_plain_encoder_gives_the_mean_of_its_token_states(backbone: Path) -> None:
    encoder, tokenizer = load_encoder(str(backbone))

    with torch.no_grad():
        states = [
            AutoModel.from_pretrained(backbone)(**tokenizer([text], return_tensors="pt")).last_hidden_state[0]
            for text in TEXTS
        ]
    expected = torch.stack([each.mean(dim=0) for each in states]).numpy()
    # Padding in a batch changes float32 sums by about 1e-7.
    assert encode(encoder, TEXTS, tokenizer=tokenizer) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pooling", ["cls", "max", "lasttoken"])
def test_a_plain_encoder_pools_as_its_files_say(tmp_path: Path, backbone: Path, pooling: str) -> None:
    folder = as_sentence_transformer(backbone, tmp_path / "encoder", pooling)

    assert load_encoder(str(folder))[0].config.pooling == pooling


def test_a_plain_encoder_is_not_normalised(tmp_path: Path, backbone: Path) -> None:
    folder = as_sentence_transformer(backbone, tmp_path / "encoder", "mean")

    model, tokenizer = load_encoder(str(folder))

    bare, its_tokenizer = load_encoder(str(backbone))
    expected = encode(bare, TEXTS[:1], tokenizer=its_tokenizer)
    assert np.array_equal(encode(model, TEXTS[:1], tokenizer=tokenizer), expected)


def test_a_plain_encoder_cuts_texts_where_its_files_say(tmp_path: Path, backbone: Path) -> None:
    # P58: 8 tokens of its own files, and not the 64 of its positions.
    folder = as_sentence_transformer(backbone, tmp_path / "encoder", "mean")

    model, tokenizer = load_encoder(str(folder))

    embeddings = encode(model, ["good " * 6, "good " * 60], tokenizer=tokenizer)
    assert embeddings[0] == pytest.approx(embeddings[1], abs=1e-6)


def test_a_plain_encoder_may_lie_in_a_subfolder(tmp_path: Path, backbone: Path) -> None:
    folder = as_sentence_transformer(backbone, tmp_path / "encoder", "mean", subfolder="0_Transformer")

    model, tokenizer = load_encoder(str(folder))

    assert encode(model, TEXTS, tokenizer=tokenizer).shape == (3, 32)


def test_a_pickle_in_the_place_of_a_plain_encoders_weights_is_not_read(tmp_path: Path, backbone: Path) -> None:
    # P57
    folder = shutil.copytree(backbone, tmp_path / "encoder")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Writes(tmp_path / "ran")))

    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        load_encoder(str(folder))
    assert not (tmp_path / "ran").exists()


def test_an_encoder_that_needs_remote_code_is_refused(tmp_path: Path) -> None:
    content = {"model_type": "strange", "auto_map": {"AutoModel": "modeling_strange.Strange"}}
    (tmp_path / "config.json").write_text(json.dumps(content))

    with pytest.raises(ValueError, match="needs remote code of its own"):
        load_encoder(str(tmp_path))


def test_an_encoder_with_a_decoder_is_refused(tmp_path: Path) -> None:
    BartConfig(vocab_size=40, d_model=8, encoder_layers=1, decoder_layers=1).save_pretrained(tmp_path)

    with pytest.raises(ValueError, match="'bart' is an encoder-decoder, and transformers cannot load its"):
        load_encoder(str(tmp_path))


def test_a_model_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none: not a local folder .* It is not looked up on the Hub"):
        load_encoder(str(tmp_path / "none"))


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"not a multi-task model \(it has no config\.json\)"):
        load_encoder(str(tmp_path))


def test_weights_that_are_missing_are_an_error(tmp_path: Path) -> None:
    BertConfig(hidden_size=32, num_attention_heads=2, num_hidden_layers=1).save_pretrained(tmp_path)

    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        load_encoder(str(tmp_path))
