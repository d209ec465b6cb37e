"""Sequence classifiers of transformers: their logits and labels, and folders that are none."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from modeling_multitask.inference.classifiers import load_classifier
from tests.conftest import tiny_bert_config

TEXTS = ["the film was good", "soup", "a very boring plot was not great the film is bad", "soup"]


@pytest.fixture
def folder(tmp_path: Path, backbone: Path) -> Path:
    """A folder with a random classifier of three labels."""
    config = tiny_bert_config(id2label={0: "film", 1: "food", 2: "phone"}, problem_type="single_label_classification")
    BertForSequenceClassification(config).save_pretrained(tmp_path / "classifier")
    AutoTokenizer.from_pretrained(backbone).save_pretrained(tmp_path / "classifier")
    return tmp_path / "classifier"


def expected(folder: Path, *texts: tuple[str, ...]) -> np.ndarray:
    """The logits of the model alone, text by text."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        return np.concatenate([model(**tokenizer(*text, return_tensors="pt")).logits.numpy() for text in texts])


@pytest.fixture(autouse=True)
def _the_same_arithmetic_on_every_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_multitask.inference.classifiers.fast_dtype", lambda device: torch.float32)


def test_the_logits_of_many_texts_are_those_of_each_text_alone(folder: Path) -> None:
    found = load_classifier(str(folder)).logits(TEXTS)

    np.testing.assert_allclose(found, expected(folder, *((text,) for text in TEXTS)), atol=1e-5)  # padding


def test_pairs_of_texts_are_read_as_pairs(folder: Path) -> None:
    pairs = [("the film", "was good"), ("soup", "bad")]

    np.testing.assert_allclose(load_classifier(str(folder)).logits(pairs), expected(folder, *pairs), atol=1e-5)


def test_no_texts_have_no_logits(folder: Path) -> None:
    assert load_classifier(str(folder)).logits([]).shape == (0, 3)


def test_a_text_is_cut_at_the_limit_of_the_model(folder: Path) -> None:
    classifier = load_classifier(str(folder))

    assert (classifier.max_length, classifier.logits(["film " * 100]).shape) == (64, (1, 3))


def test_a_classifier_tells_its_labels_and_the_form_of_its_answer(folder: Path) -> None:
    classifier = load_classifier(str(folder))

    assert (classifier.labels, classifier.form) == (["film", "food", "phone"], "label")


def test_other_weights_have_another_digest(folder: Path) -> None:
    before = load_classifier(str(folder)).digest()
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    model.classifier.bias.data += 1
    model.save_pretrained(folder)

    assert load_classifier(str(folder)).digest() != before


def test_another_tokenizer_has_another_digest(folder: Path) -> None:
    before = load_classifier(str(folder)).digest()
    AutoTokenizer.from_pretrained(folder, do_lower_case=False).save_pretrained(folder)  # the same words

    assert load_classifier(str(folder)).digest() != before


def test_an_answer_does_not_change_the_digest(folder: Path) -> None:
    classifier = load_classifier(str(folder))
    before = classifier.digest()

    classifier.logits(["film " * 100, "soup"])  # the tokenizer truncates and pads

    assert classifier.digest() == before


def test_truncated_texts_are_counted(folder: Path) -> None:
    classifier = load_classifier(str(folder))

    classifier.logits(["film " * 100, "soup", "film " * 100])

    assert classifier.cut == 1


def test_the_device_may_be_chosen(folder: Path) -> None:
    assert load_classifier(str(folder), torch.device("meta")).model.device.type == "meta"


def test_an_encoder_without_segments_reads_the_tokens_of_one_with_segments(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=32, hidden_dim=32, n_layers=1, n_heads=2)
    DistilBertForSequenceClassification(config).save_pretrained(folder)

    assert "token_type_ids" in tokenizer("soup")
    assert load_classifier(str(folder)).logits(TEXTS).shape == (4, 2)


def test_an_encoder_without_a_classifier_is_refused(backbone: Path) -> None:
    # P180: transformers gives it a random one and answers.
    with pytest.raises(
        ValueError, match=r"is no trained classifier, because its file has no weights for classifier\.bias, classifier"
    ):
        load_classifier(str(backbone))


def test_a_classifiers_own_code_is_not_run(folder: Path, tmp_path: Path) -> None:
    (folder / "evil.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\nclass Evil: ...\n")
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil"}}
    (folder / "config.json").write_text(json.dumps(settings))

    with pytest.raises(ValueError, match="transformers cannot load it as a sequence classifier"):
        load_classifier(str(folder))
    assert not (tmp_path / "ran").exists()
