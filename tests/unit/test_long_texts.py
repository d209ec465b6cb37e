"""A long text has the tokens that it would have if it were tokenised as a whole."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from modeling_multitask import MultiTaskConfig, long_texts_multitask
from modeling_multitask.long_texts_multitask import start_of
from modeling_multitask.texts_multitask import WINDOW_TEXTS, tokenize
from tests.conftest import ROOT

SENTENCE = "the film was long and the soup was good but naïve 中文 waiters don't smile at 12.50 euros"
WORDS = SENTENCE.split()
LENGTH = 24


def _byte_level() -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return tokenizer, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["[UNK]", "<s>"])


def _unigram() -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=120, unk_token="[UNK]", special_tokens=["[UNK]", "<s>"])
    return tokenizer, trainer


def _bpe_with_a_prefix() -> tuple[Tokenizer, Any]:
    """As Llama 2: one word of everything, and a space that is put before the text."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return tokenizer, trainers.BpeTrainer(vocab_size=200, special_tokens=["[UNK]", "<s>"])


@pytest.fixture(params=["word piece", "byte level", "unigram", "bpe with a prefix"])
def any_tokenizer(request: pytest.FixtureRequest, tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    if request.param == "word piece":
        return tokenizer
    kinds = {"byte level": _byte_level, "unigram": _unigram, "bpe with a prefix": _bpe_with_a_prefix}
    made, trainer = kinds[request.param]()
    made.train_from_iterator([" ".join(WORDS)] * 20, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", made.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="<s>", cls_token="<s>")


def some_text(characters: int, seed: int = 0) -> str:
    """Words with one space, and sometimes more, between them."""
    draw, parts, size = random.Random(seed), [], 0
    while size < characters:
        parts.append(draw.choice(WORDS) + draw.choice([" ", " ", " ", "  ", "\n", ", ", "\t"]))
        size += len(parts[-1])
    return "".join(parts)


LONG = {
    "words": some_text(60_000),
    "spaces first": " " * 100_000 + some_text(5_000),
    "line breaks between": f"soup{chr(10) * 50_000}{some_text(5_000)}",
    "a word of a million characters": "soup" * 250_000 + " film",
    "a long word between others": f"the film {'a' * 30_000} was {'é' * 30_000} long",
    "special tokens": "[SEP][UNK]<s>" * 3_000,
    "one kind of character": "." * 70_000,
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if "million" in name else name for name in LONG]
)
def test_the_start_of_a_text_has_the_tokens_of_the_whole_text(
    any_tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig, name: str
) -> None:
    config.max_length, text = LENGTH, LONG[name]
    whole = any_tokenizer([text, "short"], truncation=True, max_length=LENGTH)

    given = tokenize(any_tokenizer, config, [text, "short"])

    assert given["input_ids"] == whole["input_ids"]
    assert [bool(each.overflowing) for each in given.encodings or ()] == [
        bool(each.overflowing) for each in whole.encodings or ()
    ]


def test_pairs_of_long_texts_have_the_tokens_of_the_whole_texts(
    any_tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig
) -> None:
    config.max_length = LENGTH
    pairs = [LONG["words"], "the film"], ["good soup", LONG["spaces first"]]

    given = tokenize(any_tokenizer, config, *pairs)

    assert given["input_ids"] == any_tokenizer(*pairs, truncation=True, max_length=LENGTH)["input_ids"]


def test_only_as_much_of_a_text_is_tokenised_as_the_model_reads(any_tokenizer: PreTrainedTokenizerBase) -> None:
    for text in LONG.values():
        assert len(start_of(any_tokenizer, text * 10, LENGTH)) <= 4_096 * LENGTH


def test_a_text_of_invisible_characters_ends_somewhere(tokenizer: PreTrainedTokenizerBase) -> None:
    assert len(start_of(tokenizer, "\u200b \u0001" * 1_000_000, LENGTH)) == 4_096 * LENGTH


@pytest.mark.parametrize("seed", range(4))
def test_the_windows_of_pieces_are_those_of_the_whole_text(
    any_tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    config.max_length, config.long_texts = LENGTH, "windows"
    texts = [some_text(1_500, seed), "", some_text(700, seed), f"a {' ' * 900} b {'soup' * 300} c"]
    whole = any_tokenizer(texts, truncation=True, max_length=LENGTH, return_overflowing_tokens=True)
    monkeypatch.setattr(long_texts_multitask, "PIECE", 450)
    monkeypatch.setattr("modeling_multitask.texts_multitask.PIECE", 450)

    given = tokenize(any_tokenizer, config, texts)

    assert given["input_ids"] == whole["input_ids"]
    assert given["attention_mask"] == whole["attention_mask"]
    assert list(given[WINDOW_TEXTS]) == list(whole[WINDOW_TEXTS])


def test_windows_of_pieces_are_padded(
    tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.max_length, config.long_texts = LENGTH, "windows"
    texts = [some_text(1_500), "short"]
    settings: dict[str, Any] = {"padding": True, "return_tensors": "pt"}
    whole = tokenize(tokenizer, config, texts, **settings)
    monkeypatch.setattr(long_texts_multitask, "PIECE", 450)
    monkeypatch.setattr("modeling_multitask.texts_multitask.PIECE", 450)

    given = tokenize(tokenizer, config, texts, **settings)

    assert given.keys() == whole.keys()
    assert all((given[name] == whole[name]).all() for name in whole)


MEMORY = """
import resource, sys
from transformers import AutoTokenizer
from modeling_multitask import MultiTaskConfig
from modeling_multitask.texts_multitask import tokenize
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
config = MultiTaskConfig.from_pretrained(sys.argv[2])
tokenize(tokenizer, config, ["the film was long " * 1_000])
text = sys.argv[3] * (50_000_000 // len(sys.argv[3]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
tokenize(tokenizer, config, [text])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("part", ["the film was long ", "a"])
def test_a_text_of_50_mb_needs_little_memory(
    tmp_path: Path, backbone: Path, config: MultiTaskConfig, part: str
) -> None:

    config.save_pretrained(tmp_path)
    words = [sys.executable, "-c", MEMORY, str(backbone), str(tmp_path), part]

    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)

    assert float(found.stdout) < 400  # MB; tokenised as a whole it needs 3,000
