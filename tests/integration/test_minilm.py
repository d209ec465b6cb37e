"""The real all-MiniLM-L6-v2 weights: published figures of its embeddings, and one maximum length everywhere."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import encode
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.paths_multitask import resolve_model_path
from tests.conftest import MINILM, needs_minilm, tasks_of_each_type

pytestmark = needs_minilm

# Minimum, maximum, mean, (lower) median and sample deviation of the 384 values, mean-pooled, not normalised.
GOLDEN = {
    "The government's response to the crisis was utterly disappointing.": (-0.7380, 0.7802, 0.0014, 0.0157, 0.2640),
    "The new smartphone was released with standard features this year.": (-0.6628, 0.7185, 0.0007, 0.0111, 0.2461),
    "The side effects of the new medication were concerning.": (-0.7840, 0.7400, -0.0010, 0.0035, 0.2456),
    "That movie was a masterpiece from start to finish.": (-0.5712, 0.6973, 0.0001, -0.0049, 0.2263),
    "The senator introduced a new bill in the house today.": (-0.6292, 0.7531, 0.0029, -0.0031, 0.2514),
    "This app makes managing tasks so much easier and faster.": (-0.6784, 0.6954, 0.0091, 0.0000, 0.2386),
}
LONG = "The battery died within a day, and no one answered my letters. " * 25  # about 300 tokens


@pytest.fixture(scope="module")
def minilm() -> MultiTaskModel:
    return MultiTaskModel.from_backbone(MINILM, tasks_of_each_type(), pooling="mean", normalize=False).eval()


@pytest.mark.parametrize(("row", "figures"), list(enumerate(GOLDEN.values())), ids=list(GOLDEN))
def test_the_golden_figures_hold_to_four_decimals(minilm: MultiTaskModel, row: int, figures: tuple[float, ...]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(resolve_model_path(MINILM))
    batch = tokenizer(list(GOLDEN), padding=True, return_tensors="pt")

    with torch.no_grad():
        values = minilm(**batch).embeddings[row]

    given = (values.min(), values.max(), values.mean(), values.median(), values.std())
    assert [round(value.item(), 4) for value in given] == pytest.approx(figures, abs=1e-9)


@pytest.mark.parametrize("max_length", [128, 256, 384])
def test_a_text_of_300_tokens_is_cut_alike_by_everyone(minilm: MultiTaskModel, tmp_path: Path, max_length: int) -> None:
    # P58: MiniLM ships limits of 128, 256 and 512 tokens; ours is the only one left.
    tokenizer = AutoTokenizer.from_pretrained(resolve_model_path(MINILM))
    model = MultiTaskModel.from_backbone(
        MINILM, tasks_of_each_type(), pooling="mean", normalize=False, max_length=max_length
    )
    save_folder(model, tokenizer, tmp_path)

    theirs = SentenceTransformer(str(tmp_path), trust_remote_code=True).encode([LONG])

    assert len(tokenizer(LONG)["input_ids"]) > 300
    assert np.abs(theirs - encode(model, [LONG], tokenizer=tokenizer)).max() <= 1e-5


def test_built_as_it_asks_to_be_it_gives_the_embeddings_of_the_original() -> None:
    # P58: pooling, normalisation and length are its own.
    model = MultiTaskModel.from_backbone(MINILM, tasks_of_each_type())

    theirs = SentenceTransformer(resolve_model_path(MINILM)).encode([LONG, "Great soup."])

    assert np.abs(theirs - encode(model, [LONG, "Great soup."])).max() <= 1e-5
