"""Word attributions for an answer add up to the whole, for encoders of all families."""

from pathlib import Path

import pytest
import torch
from transformers import (
    AlbertConfig,
    BertTokenizer,
    DebertaV2Config,
    DistilBertConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    RobertaConfig,
)

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.publishing.demo import attribution
from modeling_multitask.publishing.demo.attribution import attribute
from tests.conftest import tasks_of_each_type, tiny_bert_config

TEXT = "The film was not good, boring!"
EVERYTHING: dict[str, str | None] = {
    "topic": "food",
    "sentiment": "positive",
    "tags": "loud",
    "rating": None,
    "grade": None,
}
SIZES = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "pad_token_id": 0}
WIDE = {**SIZES, "intermediate_size": 64, "max_position_embeddings": 64}
ENCODERS: dict[str, PreTrainedConfig] = {
    "bert": tiny_bert_config(),
    "mpnet": MPNetConfig(**WIDE),
    "roberta": RobertaConfig(**WIDE),
    "distilbert": DistilBertConfig(vocab_size=40, dim=32, n_layers=2, n_heads=2, hidden_dim=64, pad_token_id=0),
    "modernbert": ModernBertConfig(**WIDE, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3),
    "deberta": DebertaV2Config(**WIDE),
    "albert": AlbertConfig(**WIDE, embedding_size=16),
}


def model_on(encoder: PreTrainedConfig) -> MultiTaskModel:
    tasks = tasks_of_each_type()
    return MultiTaskModel(MultiTaskConfig(backbone_config=encoder, tasks=tasks, max_length=16)).eval()


@torch.no_grad()
def logits_of(model: MultiTaskModel, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: each[0] for name, each in model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.items()}


@pytest.mark.parametrize("family", ENCODERS)
def test_words_add_up_to_what_the_logit_gains_over_padding(
    family: str, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    # P47: MPNet and its like number positions by themselves, and take no segments.
    monkeypatch.setattr(attribution, "STEPS", 512)
    model = model_on(ENCODERS[family])
    text = "the film was not good"  # every word is known: MPNet takes the id of [UNK] here for padding's
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    padded = ids.clone()
    padded[0, 1:-1] = tokenizer.pad_token_id
    gain = {name: logits_of(model, ids)[name] - before for name, before in _without_words(model, padded).items()}

    words = attribute(model, tokenizer, text, EVERYTHING)

    sums = {name: sum(word.score for word in each) for name, each in words.items()}
    # Tiny random encoders bend sharply on the path; a gain may be small.
    assert sums == pytest.approx(
        {
            "topic": gain["topic"][1].item(),
            "sentiment": gain["sentiment"][0].item(),
            "tags": gain["tags"][1].item(),
            "rating": gain["rating"][0].item(),
            "grade": gain["grade"].mean().item(),
        },
        rel=0.02,
        abs=1e-3,
    )


@torch.no_grad()
def _without_words(model: MultiTaskModel, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """By embeddings: RoBERTa and its like would give padding no position."""
    embeddings = model.get_input_embeddings()(ids)
    output = model(inputs_embeds=embeddings, attention_mask=torch.ones_like(ids))
    return {name: each[0] for name, each in output.logits.items()}


def test_each_word_is_where_it_stands_in_the_text(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    words = attribute(model, tokenizer, TEXT, {"topic": "film"})["topic"]

    assert [TEXT[word.start : word.end] for word in words] == ["The", "film", "was", "not", "good", ",", "boring", "!"]


def test_parts_of_a_word_are_one_word_with_the_sum_of_their_scores(model: MultiTaskModel, tmp_path: Path) -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "bo", "##ring", "film"]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens))
    tokenizer = BertTokenizer(vocab=str(tmp_path / "vocab.txt"))

    words = attribute(model, tokenizer, "boring film", {"topic": "film"})["topic"]

    assert tokenizer.tokenize("boring film") == ["bo", "##ring", "film"]
    assert [(word.start, word.end) for word in words] == [(0, 6), (7, 11)]


def test_what_speaks_for_one_side_speaks_against_the_other(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    positive = attribute(model, tokenizer, TEXT, {"sentiment": "positive"})["sentiment"]
    negative = attribute(model, tokenizer, TEXT, {"sentiment": "negative"})["sentiment"]

    assert [word.score for word in negative] == [-word.score for word in positive]


def test_words_behind_the_longest_text_are_missing(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    # P58: the model reads 16 tokens, two of them special, whatever the tokenizer's files say.
    assert len(attribute(model, tokenizer, "good " * 30, {"topic": "film"})["topic"]) == 14


def test_a_long_text_gets_what_it_gets_in_smaller_portions(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = attribute(model, tokenizer, TEXT, EVERYTHING)

    monkeypatch.setattr(attribution, "_TOKENS_AT_ONCE", 30)  # three steps of ten tokens
    apart = attribute(model, tokenizer, TEXT, EVERYTHING)

    # Sums of float32 in another order.
    assert {name: [word.score for word in each] for name, each in apart.items()} == {
        name: pytest.approx([word.score for word in each], abs=1e-6) for name, each in together.items()
    }


def test_words_of_a_prompt_are_not_explained(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    model.config = model.config.with_prompt(tokenizer, prompt="good phone ")

    words = attribute(model, tokenizer, TEXT, {"topic": "film"})["topic"]

    assert [TEXT[word.start : word.end] for word in words] == ["The", "film", "was", "not", "good", ",", "boring", "!"]


def test_a_text_without_words_has_none(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    assert attribute(model, tokenizer, "", {"topic": "film"}) == {"topic": []}


def test_without_tasks_nothing_is_computed(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    assert attribute(model, tokenizer, TEXT, {}) == {}


def test_a_tokenizer_that_does_not_know_where_tokens_stand_gives_no_words(
    model: MultiTaskModel, tmp_path: Path
) -> None:
    from transformers import CanineTokenizer

    assert attribute(model, CanineTokenizer(), TEXT, {"topic": "film"}) == {"topic": []}


def test_the_model_keeps_no_gradients(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    attribute(model, tokenizer, TEXT, EVERYTHING)

    assert all(parameter.grad is None for parameter in model.parameters())
