"""A run states the effect of training on the embedding in its record, its report and its card."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from datasets_builder import DataError
from modeling_multitask import MultiTaskModel
from modeling_multitask.evaluation.embedding_change import change_of_texts
from modeling_multitask.inference import encode
from modeling_multitask.publishing.card.training import training_facts
from modeling_multitask.publishing.evidence import read_evidence
from modeling_multitask.runs import embedding_change as module
from modeling_multitask.runs import train
from modeling_multitask.training import start_embeddings
from tests.conftest import WORDS

FILMS, FOODS = ("film", "plot", "screen"), ("food", "soup", "tasty")


@pytest.fixture
def words(tmp_path: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A recipe of two large steps over 48 rows, most of whose texts occur several times."""
    monkeypatch.chdir(tmp_path)
    for name, start in (("train", 0), ("test", 60)):
        texts = [f"{WORDS[i % 18]} {FILMS[i % 3] if i % 2 else FOODS[i % 3]}" for i in range(start, start + 48)]
        rows = [f"{text},{'film' if text.split()[1] in FILMS else 'food'}" for text in texts]
        Path(f"{name}.csv").write_text("\n".join(["text,topic", *rows]) + "\n")
    return {
        "backbone": str(backbone),
        "tasks": [{"name": "topic", "problem_type": "single_label_classification"}],
        "data": {"train": "train.csv", "test": "test.csv"},
        "learning_rates": {"heads": 1e-3, "backbone": 1e-2},
        "probe": False,
        "training": {"max_steps": 2, "warmup_steps": 0, "disable_tqdm": True},
    }


def record() -> dict[str, Any]:
    return json.loads(Path("here/training.json").read_text())


def notes() -> list[str]:
    return json.loads(Path("here/report/report.json").read_text())["notes"]


@pytest.mark.parametrize("settings", [{}, {"pooling": "cls", "prompt": "the good "}])
def test_the_effect_is_that_on_the_similarities_of_the_distinct_training_texts(
    words: dict[str, Any], backbone: Path, settings: dict[str, str]
) -> None:
    train(words, output_dir="here", **settings)

    texts = list(dict.fromkeys(line.split(",")[0] for line in Path("train.csv").read_text().splitlines()[1:]))
    start = MultiTaskModel.from_backbone(str(backbone), [{"name": "none", "problem_type": "regression"}], **settings)
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    expected = change_of_texts(encode(start, texts, tokenizer=tokenizer), encode("here/model", texts))
    assert expected is not None
    found = record()["embedding"]
    assert found["texts"] == len(texts) < 48
    assert found["similarity_rank_correlation"] == pytest.approx(expected.similarity_rank_correlation, abs=1e-3)
    assert found["similarity_rank_correlation"] < 0.999
    assert any(f"all pairs of {len(texts)} training texts" in note for note in notes())


def test_the_card_has_the_line(words: dict[str, Any]) -> None:
    train(words, output_dir="here")

    facts = training_facts(MultiTaskModel.from_pretrained("here/model").config, read_evidence(Path("here/model")))

    assert any(line.startswith("Embedding: the similarities of all pairs of") for line in facts["took"])


def test_texts_are_drawn_with_the_seed(words: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TEXTS", 10)

    found = []
    for seed, folder in ((0, "a"), (0, "b"), (1, "c")):
        train(words, output_dir=folder, seed=seed, baseline="constant")
        found.append(json.loads(Path(f"{folder}/training.json").read_text())["embedding"])

    assert found[0] == found[1] != found[2]
    assert found[0]["texts"] == 10


def test_the_linear_probe_and_the_kept_embedding_and_this_share_one_pass(
    words: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    counted = start_embeddings.encode

    def count(model: Any, texts: list[str], **settings: Any) -> np.ndarray:
        seen.append(len(texts))
        return counted(model, texts, **settings)

    monkeypatch.setattr(start_embeddings, "encode", count)

    train(words, output_dir="here", keep_embedding={"weight": 0.1})

    assert seen == [48, 48]  # the training rows, and those of the test


def test_a_kept_embedding_is_logged(words: dict[str, Any]) -> None:
    train(words, output_dir="here", keep_embedding={"weight": 0.1}, lora={"r": 2}, report=False)

    state = json.loads(Path("here/checkpoints/checkpoint-2/trainer_state.json").read_text())
    assert [line["keep_embedding_loss"] for line in state["log_history"] if "loss" in line] == [
        pytest.approx(0, abs=1e-2)  # the encoder has dropout
    ]


def test_a_frozen_encoder_is_unchanged(words: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "start_encoder", None)  # nothing is computed

    train(words, output_dir="here", freeze="backbone", learning_rates={"heads": 1e-3})

    assert record()["embedding"] == {"similarity_rank_correlation": 1.0, "unchanged": True}
    assert "Embedding: unchanged, because the encoder was not trained" in notes()


def test_adapters_change_the_embedding(words: dict[str, Any]) -> None:
    # They are merged before the effect is measured.
    train(words, output_dir="here", lora={"r": 2})

    assert record()["embedding"]["texts"] > 3


def test_a_set_of_pairs_with_scores_is_used_instead(words: dict[str, Any], tmp_path: Path) -> None:
    pairs = [f"the {WORDS[i]},a {WORDS[i + 3]},{i % 5}" for i in range(12)]
    (tmp_path / "pairs.csv").write_text("\n".join(["text,text_pair,score", *pairs]) + "\n")

    train(words, output_dir="here", similarity="pairs.csv", report=False)

    found = record()["embedding"]
    assert found["pairs"] == 12
    assert "texts" not in found
    assert set(found["scores"]) == {"before", "after"}


def test_a_wrong_set_is_refused_before_training(words: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"pairs\.csv: no such file"):
        train(words, output_dir="here", similarity="pairs.csv")

    assert not Path("here/checkpoints").exists()


def test_without_a_report_nothing_is_computed(words: dict[str, Any]) -> None:
    train(words, output_dir="here", report=False)

    assert "embedding" not in record()


def test_streamed_rows_are_not_compared_and_the_report_says_so(words: dict[str, Any]) -> None:
    words["tasks"][0]["labels"] = ["film", "food"]

    train(words | {"data": {**words["data"], "streaming": True}}, output_dir="here")

    assert "embedding" not in record()
    assert module.STREAMED in notes()


def test_a_failure_does_not_end_the_run(words: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "start_encoder", None)

    train(words, output_dir="here", baseline="constant")

    assert "embedding" not in record()


def test_the_final_model_of_folds_is_compared_and_no_other(words: dict[str, Any]) -> None:
    words["data"] = {"train": "train.csv", "split": {"folds": 2}}

    train(words, output_dir="here")

    assert "embedding" in record()
    assert any(note.startswith("Embedding: ") for note in notes())
    assert "embedding" not in json.loads(Path("here/folds/1/training.json").read_text())
