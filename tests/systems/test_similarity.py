"""The embeddings of the five systems in the similarity command, with the real all-MiniLM-L6-v2 weights."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskModel
from modeling_multitask.commands.similarity import main
from modeling_multitask.inference import encode
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.inference.similarity import cosine_matrix, load_encoder
from modeling_multitask.paths_multitask import resolve_model_path
from tests.conftest import MINILM, needs_minilm, tasks_of_each_type
from tests.integration.test_minilm import GOLDEN

pytestmark = [pytest.mark.slow, needs_minilm]

CHEESE = [
    ("I thought the cheese was delicious", "The cheese was tasty"),
    ("The cheese was tasty", "Luke, I am your father!"),
    ("Luke, I am your father!", "We're gonna need a bigger boat!"),
]
LONG = "The battery died within a day, and no one answered my letters. " * 25  # about 300 tokens


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A multi-task model on MiniLM, with the settings of S0, in a folder."""
    folder = tmp_path_factory.mktemp("model")
    model = MultiTaskModel.from_backbone(MINILM, tasks_of_each_type(), pooling="mean", normalize=False)
    save_folder(model, AutoTokenizer.from_pretrained(resolve_model_path(MINILM)), folder)
    return str(folder)


@pytest.fixture
def sentences(tmp_path: Path) -> str:
    """The six of S0, one in each line."""
    (tmp_path / "sentences.txt").write_text("\n".join(GOLDEN) + "\n")
    return str(tmp_path / "sentences.txt")


def rows(capsys: pytest.CaptureFixture[str], count: int) -> list[list[str]]:
    """Of each line below the header so many cells, and the rest."""
    return [line.split(maxsplit=count) for line in capsys.readouterr().out.splitlines()][-len(GOLDEN) :]


def test_s0_statistics_of_the_plain_encoder_are_the_golden_figures(
    sentences: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([MINILM, sentences, "--stats"])

    expected = [[*(f"{figure:.4f}" for figure in figures), text] for text, figures in GOLDEN.items()]
    assert code == 0
    assert rows(capsys, 5) == expected


def test_s0_statistics_of_a_multi_task_model_are_the_golden_figures(
    trained: str, sentences: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([trained, sentences, "--stats"])

    expected = [[*(f"{figure:.4f}" for figure in figures), text] for text, figures in GOLDEN.items()]
    assert code == 0
    assert rows(capsys, 5) == expected


def test_s3_sentences_about_cheese_are_more_alike_than_those_about_other_things(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # S3's own figures, 0.8303, 0.4419 and 0.6015, are of bert-base-uncased.
    main([MINILM, *(word for pair in CHEESE for word in ("--pair", *pair))])

    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [["0.8442", "0.9221"], ["0.0748", "0.5374"], ["0.2052", "0.6026"]]


def test_cosines_are_those_of_sentence_transformers() -> None:
    # P58: also of a text that is longer than some of MiniLM's limits.
    texts = [*GOLDEN, LONG]
    model, tokenizer = load_encoder(MINILM)
    theirs = SentenceTransformer(resolve_model_path(MINILM))

    found = cosine_matrix(encode(model, texts, tokenizer=tokenizer))

    # Two implementations of the same float32 arithmetic, in batches that are padded differently.
    assert np.abs(found - theirs.similarity(*[theirs.encode(texts)] * 2).numpy()).max() <= 1e-5
