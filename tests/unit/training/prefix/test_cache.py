"""Training from cached outputs gives the same weights and metrics, whatever happens to the cache (P33)."""

import errno
import importlib
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import BertTokenizer, TrainerCallback, TrainingArguments

from modeling_multitask import (
    MultiTaskCollator,
    MultiTaskConfig,
    MultiTaskModel,
    MultiTaskTrainer,
    MultiTaskTrainingArguments,
)
from modeling_multitask.training.lora import add_lora
from modeling_multitask.training.prefix.caching import PrefixCaching
from tests.conftest import WORDS, rows_of_each_type, tasks_of_each_type, tiny_bert_config

prefix_states = importlib.import_module("modeling_multitask.training.prefix.states")

TASKS = tasks_of_each_type()
ABOVE = {"r": 2, "target_modules": r".*layer\.2\..*query"}
# As transformers calls it since 5.23, and before.
SLOW = pytest.mark.slow  # what only varies another one
CHECKPOINTING = (
    f"{'activation' if hasattr(TrainingArguments, 'activation_checkpointing') else 'gradient'}_checkpointing"
)
LOWEST = ["embeddings", "layers.0-1"]
PHASES = [
    {"train": ["heads"], "until": "epoch 2"},
    {"train": ["heads", "layers.2"], "until": "epoch 4"},
    {"train": ["everything"]},
]
SHORT_PHASES = [
    {"train": ["heads"], "until": "step 8"},  # of five in an epoch
    {"train": ["heads", "layers.2"]},
]


@pytest.fixture
def run(tmp_path: Path, backbone: Path) -> Callable[..., MultiTaskTrainer]:
    """Train a model of three layers with a cache in the test's own folder, and return its trainer."""

    def trained(
        *,
        long_texts: str = "truncate",
        lora: dict[str, Any] | None = None,
        tokens: dict[str, Any] | None = None,
        dtype: torch.dtype = torch.float32,
        max_length: int = 16,
        weights: int = 0,
        words: Sequence[str] | None = None,
        **settings: Any,
    ) -> MultiTaskTrainer:
        tokenizer = BertTokenizer.from_pretrained(backbone) if words is None else tokenizer_of(words, tmp_path)
        torch.manual_seed(weights)
        config = MultiTaskConfig(
            backbone_config=tiny_bert_config(num_hidden_layers=3),
            tasks=TASKS,
            head={"hidden_sizes": [8, 8], "dropout": 0.2},
            max_length=6 if long_texts == "windows" else max_length,
            long_texts=long_texts,
        )
        model: Any = MultiTaskModel(config).to(dtype)
        callbacks = settings.pop("callbacks", None)
        defaults: dict[str, Any] = {
            "num_train_epochs": 3,
            "per_device_train_batch_size": 5,
            "learning_rate": None if "learning_rates" in settings else 5e-3,
            "eval_strategy": "epoch",
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
            "prefix_cache": PrefixCaching(folder=str(tmp_path / "cache")),
        }
        if "tokens_per_batch" in settings:
            defaults.pop("per_device_train_batch_size")
        table = rows_of_each_type()
        if tokens is not None:
            table = table.map(lambda row: tokenizer(row["text"], truncation=True, max_length=16, **tokens))
        trainer = MultiTaskTrainer(
            model if lora is None else add_lora(model, lora),
            MultiTaskTrainingArguments(str(tmp_path / "run"), **{**defaults, **settings}),
            train_dataset=table,
            eval_dataset=rows_of_each_type(7),
            processing_class=tokenizer,
            callbacks=callbacks,
        )
        trainer.train()
        return trainer

    return trained


def tokenizer_of(words: Sequence[str], folder: Path) -> BertTokenizer:
    """With other numbers for the words."""
    path = folder / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]), encoding="utf-8")
    return BertTokenizer(str(path))


def weights(trainer: MultiTaskTrainer) -> dict[str, torch.Tensor]:
    # The gradient of a key's bias is 0 but for rounding, since softmax takes no notice of it; Adam makes steps of that.
    return {name: each for name, each in trainer.model.state_dict().items() if "key.bias" not in name}


def metrics(trainer: MultiTaskTrainer) -> list[float]:
    history = trainer.state.log_history
    return [
        each[name]
        for each in history
        for name in each
        if name.startswith("eval_") and "_per_" not in name and "runtime" not in name
    ]


def check_the_same(one: MultiTaskTrainer, other: MultiTaskTrainer) -> None:
    found, expected = weights(one), weights(other)
    assert found.keys() == expected.keys()
    assert max((found[name] - expected[name]).abs().max().item() for name in found) <= 1e-5
    assert metrics(one) == pytest.approx(metrics(other), abs=1e-5)


@pytest.mark.compat
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"freeze": "backbone"}, id="all of the encoder"),
        pytest.param({"freeze": LOWEST}, id="its lowest layers"),
        pytest.param({"freeze": LOWEST, "tokens_per_batch": 40}, id="token budget"),
        pytest.param({"freeze": "backbone", "tokens_per_batch": 40}, id="token budget, all", marks=SLOW),
        pytest.param({"freeze": LOWEST, "gradient_accumulation_steps": 2}, id="accumulation", marks=SLOW),
        pytest.param({"freeze": LOWEST, "train_sampling_strategy": "group_by_length"}, id="similar length", marks=SLOW),
        pytest.param({"freeze": LOWEST, "tokens": {}}, id="rows with tokens", marks=SLOW),
        pytest.param({"freeze": LOWEST, "tokens": {"padding": "max_length"}}, id="rows with padding", marks=SLOW),
        pytest.param(
            {"freeze": "backbone", "tokens": {"padding": "max_length"}}, id="rows with padding, all", marks=SLOW
        ),
        pytest.param({"freeze": LOWEST, "balancing": "uncertainty"}, id="balancing", marks=SLOW),
        pytest.param({"freeze": ["backbone", "heads.topic"]}, id="a frozen head", marks=SLOW),
        pytest.param({"phases": PHASES, "num_train_epochs": 6}, id="phases"),
        pytest.param(
            {"phases": PHASES, "num_train_epochs": 6, "eval_strategy": "steps", "eval_steps": 3}, id="steps", marks=SLOW
        ),
        pytest.param({"phases": SHORT_PHASES}, id="phases that end within an epoch", marks=SLOW),
        pytest.param({"freeze": "backbone", "long_texts": "windows"}, id="windows"),
        pytest.param({"lora": ABOVE}, id="adapters above"),
        pytest.param({"freeze": LOWEST, CHECKPOINTING: True}, id="checkpointing", marks=SLOW),
        pytest.param({"lora": ABOVE, CHECKPOINTING: True}, id="adapters above, checkpointing", marks=SLOW),
    ],
)
def test_weights_and_metrics_are_those_without_the_cache(
    run: Callable[..., MultiTaskTrainer], settings: dict[str, Any]
) -> None:
    # P77 where phases move the place, P79 where layers are checkpointed, P87 where rows were padded beforehand.
    with_cache, without = run(**settings), run(**settings, prefix_cache=False)

    assert with_cache.prefix_cache is not None
    assert without.prefix_cache is None
    check_the_same(with_cache, without)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts were computed each time that something was."""
    numbers: list[int] = []
    compute = prefix_states.frozen_states

    def counting(model: Any, prefix: Any, texts: Any, *args: Any) -> Any:
        numbers.append(len(texts))
        return compute(model, prefix, texts, *args)

    monkeypatch.setattr("modeling_multitask.training.prefix.cache.frozen_states", counting)
    return numbers


def test_every_text_is_computed_once_and_never_by_another_run_or_seed(
    run: Callable[..., MultiTaskTrainer], computed: list[int]
) -> None:
    texts = len(set(rows_of_each_type()["text"]) | set(rows_of_each_type(7)["text"]))

    run(freeze="backbone")
    run(freeze="backbone", seed=1)

    assert sum(computed) == texts


def test_where_the_frozen_part_is_another_it_is_computed_anew(
    run: Callable[..., MultiTaskTrainer], computed: list[int]
) -> None:
    texts = len(set(rows_of_each_type()["text"]))

    run(freeze="backbone")
    run(freeze=LOWEST)
    run(freeze=["embeddings", "layers.0"])

    assert computed == [texts] * 3


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"weights": 1}, id="weights"),
        pytest.param({"words": WORDS[::-1]}, id="tokenizer"),
        pytest.param({"max_length": 3}, id="length"),
    ],
)
def test_what_another_model_has_left_there_is_not_taken_for_ours(
    run: Callable[..., MultiTaskTrainer], computed: list[int], changed: dict[str, Any]
) -> None:
    run(freeze=LOWEST)

    given = run(freeze=LOWEST, **changed)

    assert len(computed) == 2
    check_the_same(given, run(freeze=LOWEST, prefix_cache=False, **changed))


def test_a_run_too_short_to_gain_by_it_computes_nothing_beforehand(
    run: Callable[..., MultiTaskTrainer], computed: list[int]
) -> None:
    run(freeze="backbone", num_train_epochs=1)

    assert computed == []


def test_phases_move_the_place_where_passes_start(run: Callable[..., MultiTaskTrainer], computed: list[int]) -> None:
    trainer = run(phases=PHASES, num_train_epochs=6)

    assert len(computed) == 2  # all of the encoder, then two layers; nothing is frozen in the last phase
    assert not trainer.prefix_cache  # so that what comes after training goes through the whole model


def test_a_damaged_cache_is_noticed_and_rebuilt(
    run: Callable[..., MultiTaskTrainer], tmp_path: Path, computed: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    before = run(freeze=LOWEST)
    for path in (tmp_path / "cache").rglob("*.states"):
        path.write_bytes(path.read_bytes()[:-8])

    after = run(freeze=LOWEST)

    assert len(computed) == 2
    assert "is damaged (its length differs from its index); its content is computed again" in caplog.text
    check_the_same(before, after)


def test_a_full_disk_means_no_cache_and_a_warning(
    run: Callable[..., MultiTaskTrainer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_given: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    without = run(freeze=LOWEST, prefix_cache=False)
    monkeypatch.setattr("modeling_multitask.training.prefix.store.os.fsync", full)

    given = run(freeze=LOWEST)

    assert "Frozen layers are not cached, and run in every epoch: [Errno 28] No space left on device" in caplog.text
    check_the_same(given, without)


def test_more_than_the_limit_is_not_kept_and_said(
    run: Callable[..., MultiTaskTrainer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(freeze=LOWEST, prefix_cache={"folder": str(tmp_path / "cache"), "gigabytes": 1e-6})

    assert "in every epoch: their output needs 2.7e-05 GiB, and prefix_cache.gigabytes is 1e-06" in caplog.text
    assert not (tmp_path / "cache").exists()


def test_windows_are_computed_in_every_epoch_where_a_layer_trains(
    run: Callable[..., MultiTaskTrainer], caplog: pytest.LogCaptureFixture
) -> None:
    run(freeze=LOWEST, long_texts="windows")

    assert "with long_texts 'windows', only a fully frozen encoder can be cached" in caplog.text


@pytest.mark.parametrize("freeze", ["backbone", LOWEST])
def test_a_model_in_half_precision_trains(run: Callable[..., MultiTaskTrainer], freeze: Any) -> None:
    trainer = run(freeze=freeze, dtype=torch.bfloat16)

    assert trainer.prefix_cache is not None
    assert all(each == each for each in metrics(trainer))


class EvaluatesOthers(TrainerCallback):
    """Asks in the middle of training for the metrics of rows that the run does not know."""

    def __init__(self) -> None:
        self.trainer: MultiTaskTrainer | None = None
        self.found: dict[str, float] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """In the second epoch."""
        if state.global_step == 8 and self.trainer is not None:
            self.found = self.trainer.evaluate(others(), metric_key_prefix="others")


def others() -> Dataset:
    """Rows with texts that are nowhere else."""
    return rows_of_each_type(9).map(lambda row: {"text": f"soup {row['text']} soup"})


@pytest.mark.parametrize("freeze", ["backbone", LOWEST])
def test_rows_that_the_run_does_not_know_go_through_the_whole_encoder(
    tmp_path: Path, backbone: Path, freeze: Any
) -> None:
    # P88
    found = {}
    for cache in (False, {"folder": str(tmp_path / "cache")}):
        torch.manual_seed(0)
        config = MultiTaskConfig(backbone_config=tiny_bert_config(num_hidden_layers=3), tasks=TASKS, max_length=16)
        callback = EvaluatesOthers()
        callback.trainer = MultiTaskTrainer(
            MultiTaskModel(config),
            MultiTaskTrainingArguments(
                str(tmp_path / "run"),
                num_train_epochs=2,
                per_device_train_batch_size=5,
                freeze=freeze,
                prefix_cache=cache,
                save_strategy="no",
                report_to="none",
                dataloader_pin_memory=False,
            ),
            train_dataset=rows_of_each_type(),
            processing_class=BertTokenizer.from_pretrained(backbone),
            callbacks=[callback],
        )
        callback.trainer.train()
        found[bool(cache)] = callback.found["others_loss"]

    assert found[True] == pytest.approx(found[False], abs=1e-5)


class BreaksOff(TrainerCallback):
    """A person who interrupts."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """At the third step."""
        self.model = kwargs["model"]
        if state.global_step == 3:
            raise KeyboardInterrupt


def test_a_run_that_is_interrupted_leaves_nothing_frozen_or_set_aside(run: Callable[..., MultiTaskTrainer]) -> None:
    # P89
    callback = BreaksOff()

    with pytest.raises(KeyboardInterrupt):
        run(freeze="backbone", callbacks=[callback])

    assert not [name for name, each in vars(callback.model).items() if callable(each)]  # nothing is attached to it
    assert all(parameter.requires_grad for parameter in callback.model.parameters())


def test_a_process_that_loads_rows_is_not_given_the_model(run: Callable[..., MultiTaskTrainer]) -> None:
    trainer = run(freeze="backbone")

    given = pickle.loads(pickle.dumps(trainer.get_train_dataloader().dataset))

    assert given.cache is None
    assert len(given) == len(rows_of_each_type())


def test_a_process_that_loads_rows_gives_them_as_they_are(run: Callable[..., MultiTaskTrainer]) -> None:
    settings = {"freeze": LOWEST, "num_train_epochs": 2}

    check_the_same(run(**settings, dataloader_num_workers=1), run(**settings, prefix_cache=False))


def test_a_collator_of_ones_own_makes_the_batches(tmp_path: Path, backbone: Path) -> None:
    tokenizer = BertTokenizer.from_pretrained(backbone)
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=TASKS, max_length=16)
    collate = MultiTaskCollator(tokenizer, config)
    trainer = MultiTaskTrainer(
        MultiTaskModel(config),
        MultiTaskTrainingArguments(str(tmp_path), freeze="backbone", report_to="none"),
        data_collator=collate.__call__,  # a function, whatever is in it
        train_dataset=rows_of_each_type(),
    )

    assert trainer.prefix_cache is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gigabytes": 0}, "prefix_cache.gigabytes is 0; it must be above 0"),
        ({"gigabyte": 1}, "prefix_cache.gigabyte: no such word; did you mean 'gigabytes'.; words here: folder, gig"),
        ("yes", "prefix_cache is 'yes'; it must be true, false, or a dict"),
    ],
)
def test_a_cache_that_cannot_be_is_refused(given: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        MultiTaskTrainingArguments(str(tmp_path), prefix_cache=given)
