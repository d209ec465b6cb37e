"""The features of transformers' training arguments work with missing labels and with adapters."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import BertTokenizer, TrainerCallback

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.training.lora import add_lora
from tests.conftest import ROOT, rows_with_gaps, tiny_bert_config
from tests.fresh_process import run_fresh

TASKS = [
    {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food", "phone"]},
    {"name": "sentiment", "problem_type": "binary_classification", "labels": ["negative", "positive"]},
    {"name": "rating", "problem_type": "regression"},
]
# transformers 5.23 has another name for it, which 5.17 does not know.
renamed = pytest.mark.filterwarnings("ignore:.gradient_checkpointing(_kwargs)?. is deprecated:FutureWarning")
adapters_or_not = pytest.mark.parametrize("lora", [None, {"r": 2}], ids=["whole", "adapters"])


def rows(count: int = 16) -> Dataset:
    """Sentences of three words; every task lacks some labels, and the first four rows have no rating."""
    return rows_with_gaps(count).add_column("rating", [i / count if i > 3 and i % 2 else None for i in range(count)])


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Callable[..., MultiTaskTrainer]:
    """A trainer on a CPU, without dropout, which logs every step."""

    def trainer(
        *, lora: dict[str, Any] | None = None, callbacks: list | None = None, **settings: Any
    ) -> MultiTaskTrainer:
        defaults = {
            "num_train_epochs": 2,
            "per_device_train_batch_size": 8,
            "learning_rate": None if "learning_rates" in settings else 1e-3,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": True,
            "dataloader_pin_memory": False,
        }
        torch.manual_seed(0)
        without_dropout = tiny_bert_config(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        head = {"hidden_sizes": [8], "dropout": 0.0}
        model = MultiTaskModel(MultiTaskConfig(backbone_config=without_dropout, tasks=TASKS, head=head, max_length=16))
        return MultiTaskTrainer(
            add_lora(model, lora) if lora else model,
            MultiTaskTrainingArguments(str(tmp_path_factory.mktemp("run")), **{**defaults, **settings}),
            train_dataset=rows(),
            eval_dataset=rows(),
            processing_class=BertTokenizer.from_pretrained(backbone),
            callbacks=callbacks,
        )

    return trainer


def logged(trainer: MultiTaskTrainer, name: str) -> list[float]:
    """The values of a name in the order they were logged."""
    return [line[name] for line in trainer.state.log_history if name in line]


def losses_of_training(trainer: MultiTaskTrainer) -> list[float]:
    trainer.train()
    return logged(trainer, "loss")


@adapters_or_not
def test_evaluation_gathers_logits_and_nothing_else(build: Callable, lora: dict | None) -> None:
    # P14: embeddings and token states of every row would fill the memory.
    output = build(lora=lora).predict(rows())

    shapes = {name: logits.shape for name, logits in output.predictions.items()}
    assert shapes == {"topic": (16, 3), "sentiment": (16, 1), "rating": (16, 1)}


def test_hidden_states_that_are_asked_for_are_not_gathered_either(build: Callable) -> None:
    # P14
    trainer = build()
    trainer.model.config.backbone_config.output_hidden_states = True
    trainer.model.backbone.config.output_hidden_states = True

    assert set(trainer.predict(rows()).predictions) == {"topic", "sentiment", "rating"}


@adapters_or_not
def test_labels_of_several_tasks_come_back_as_a_dict(build: Callable, lora: dict | None) -> None:
    # P15
    labels = build(lora=lora).predict(rows(6)).label_ids

    assert labels["topic"].tolist() == [0, -100, 2, 0, -100, 2]
    assert labels["sentiment"].tolist() == [0, 1, -100, -100, 0, 1]


@pytest.mark.compat
@adapters_or_not
def test_labels_in_a_dict_train_every_head(build: Callable, lora: dict | None) -> None:
    # P15
    trainer = build(lora=lora)
    before = {name: each.clone() for name, each in trainer.model.named_parameters() if each.requires_grad}

    trainer.train()

    after = dict(trainer.model.named_parameters())
    moved = [name for name, each in before.items() if ".heads." in f".{name}" and not torch.equal(each, after[name])]
    assert [task["name"] for task in TASKS if not any(f"heads.{task['name']}." in name for name in moved)] == []


@pytest.mark.compat
@adapters_or_not
@pytest.mark.parametrize("name", ["loss", "topic_loss", "sentiment_loss", "rating_loss"])
def test_the_loss_that_is_logged_does_not_depend_on_accumulation(build: Callable, lora: dict | None, name: str) -> None:
    # P6: with a loss function given to the Trainer it grew with the number of micro-batches.
    first_step = {"max_steps": 1, "train_sampling_strategy": "sequential"}
    one = build(lora=lora, per_device_train_batch_size=16, **first_step)
    four = build(lora=lora, per_device_train_batch_size=4, gradient_accumulation_steps=4, **first_step)

    for trainer in (one, four):
        trainer.train()

    assert logged(four, name) == pytest.approx(logged(one, name), rel=1e-5)


@adapters_or_not
def test_the_norm_of_the_gradient_does_not_depend_on_accumulation(build: Callable, lora: dict | None) -> None:
    # P6
    first_step = {"max_steps": 1, "train_sampling_strategy": "sequential"}
    one = build(lora=lora, per_device_train_batch_size=16, **first_step)
    four = build(lora=lora, per_device_train_batch_size=4, gradient_accumulation_steps=4, **first_step)

    for trainer in (one, four):
        trainer.train()

    assert logged(four, "grad_norm") == pytest.approx(logged(one, "grad_norm"), rel=1e-4)


def test_the_model_says_itself_that_it_takes_the_number_of_items() -> None:
    # P7: else the Trainer concludes it from **kwargs in `forward`.
    assert vars(MultiTaskModel)["accepts_loss_kwargs"] is True


@adapters_or_not
def test_the_trainer_hears_that_the_model_takes_the_number_of_items(build: Callable, lora: dict | None) -> None:
    # P7: also through peft's wrapper.
    assert build(lora=lora).model_accepts_loss_kwargs


class Gradients(TrainerCallback):
    """Remembers which parameters had a gradient other than zero in the last step."""

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Before it is cleared."""
        self.names = {name for name, each in model.named_parameters() if each.grad is not None and each.grad.any()}


@renamed
@pytest.mark.parametrize("reentrant", [True, False])
def test_adapters_train_under_checkpointing_though_the_embeddings_are_frozen(build: Callable, reentrant: bool) -> None:
    # P32: nothing that enters the first layer has a gradient, and a checkpoint then passes none back.
    seen = Gradients()
    settings = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": reentrant}}
    trainer = build(lora={"r": 2}, callbacks=[seen], freeze="embeddings", max_steps=2, **settings)

    trainer.train()

    adapters = {name for name, each in trainer.model.named_parameters() if "lora_B" in name}
    assert len(adapters) == 4
    assert adapters <= seen.names


@pytest.mark.compat
@renamed
@adapters_or_not
def test_checkpointing_changes_no_loss(build: Callable, lora: dict | None) -> None:
    assert losses_of_training(build(lora=lora, gradient_checkpointing=True)) == pytest.approx(
        losses_of_training(build(lora=lora)), rel=1e-6
    )


@pytest.mark.compat
@adapters_or_not
def test_bfloat16_trains_to_about_the_same_losses(build: Callable, lora: dict | None) -> None:
    # bfloat16 has three digits.
    halved = build(lora=lora, bf16=True)

    assert losses_of_training(halved) == pytest.approx(losses_of_training(build(lora=lora)), rel=2e-2)
    assert {each.dtype for each in halved.model.parameters()} == {torch.float32}


def test_bfloat16_is_what_the_encoder_computes_in(build: Callable) -> None:
    exact, halved = losses_of_training(build()), losses_of_training(build(bf16=True))

    assert exact != halved


def test_float16_on_a_cpu_is_refused(build: Callable) -> None:
    # Else it is silently left out: the losses are those of float32 to the last bit.
    with pytest.raises(ValueError, match="fp16 is True, but a CPU would silently use float32; use bf16"):
        build(fp16=True)


def test_training_stops_after_evaluations_that_bring_nothing_better(build: Callable) -> None:
    trainer = build(learning_rate=0.0, eval_strategy="epoch", early_stopping_patience=2, num_train_epochs=9)

    trainer.train()

    assert trainer.state.epoch == 3  # the first is the best, and two follow


def test_training_goes_on_while_evaluations_get_better(build: Callable) -> None:
    better = {"metric_for_best_model": "loss", "early_stopping_patience": 1, "eval_strategy": "epoch"}
    trainer = build(num_train_epochs=4, per_device_train_batch_size=16, **better)

    trainer.train()

    assert logged(trainer, "eval_loss") == sorted(logged(trainer, "eval_loss"), reverse=True)
    assert trainer.state.epoch == 4


def test_a_cosine_takes_every_rate_to_zero(build: Callable) -> None:
    trainer = build(lr_scheduler_type="cosine", learning_rates={"heads": 1e-2, "backbone": 1e-3})

    trainer.train()

    # Four steps: 1, then (1 + cos(π/4)) / 2, a half, ...
    assert logged(trainer, "learning_rate") == pytest.approx([1e-2, 0.853553e-2, 0.5e-2, 0.146447e-2], rel=1e-5)
    assert trainer.lr_scheduler.get_last_lr() == pytest.approx([0.0] * len(trainer.optimizer.param_groups))


def test_a_plateau_lowers_every_rate_by_the_same_factor(build: Callable) -> None:
    # So little is learned that the accuracy never rises: it halves at the second and at the third evaluation.
    halving = {
        "lr_scheduler_type": "reduce_lr_on_plateau",
        "lr_scheduler_kwargs": {"factor": 0.5, "patience": 0, "eps": 0},
    }
    watched = {"num_train_epochs": 3, "eval_strategy": "epoch", "metric_for_best_model": "topic_accuracy"}
    trainer = build(learning_rates={"heads": 4e-9, "backbone": 4e-10}, **halving, **watched)

    trainer.train()

    rates = {group["name"]: group["lr"] for group in trainer.optimizer.param_groups}
    assert (rates["heads"], rates["layers.0"]) == pytest.approx((1e-9, 1e-10), rel=1e-6)


@pytest.fixture
def fresh_compiler() -> Any:
    """Reset compiled code between tests."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.compat
@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize(
    "backend",
    [
        "eager",
        pytest.param("aot_eager", marks=pytest.mark.slow),
        pytest.param(
            "inductor",
            marks=[pytest.mark.slow, pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs g++")],
        ),
    ],
)
def test_a_compiled_model_trains_to_the_same_losses(build: Callable, backend: str) -> None:
    one_batch = {"per_device_train_batch_size": 16, "num_train_epochs": 4}

    compiled = losses_of_training(build(torch_compile_backend=backend, torch_compile=True, **one_batch))

    assert compiled == pytest.approx(losses_of_training(build(**one_batch)), rel=1e-5)
    assert compiled == sorted(compiled, reverse=True)


def test_tensorboard_shows_every_tasks_loss_and_metrics(build: Callable) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = build(report_to="tensorboard", eval_strategy="epoch")
    trainer.train()

    (events,) = Path(trainer.args.output_dir).rglob("events.out.tfevents.*")
    shown = EventAccumulator(str(events)).Reload()
    names = {"train/topic_loss", "train/sentiment_loss", "eval/topic_accuracy", "eval/rating_mae", "eval/score"}
    assert names <= set(shown.Tags()["scalars"])
    assert [each.value for each in shown.Scalars("train/topic_loss")] == pytest.approx(logged(trainer, "topic_loss"))


TRACKIO = """
import json, subprocess, sys
from transformers import BertTokenizer
from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from tests.conftest import tiny_bert_config
from tests.unit.training.test_trainer_features import TASKS, rows
trainer = MultiTaskTrainer(
    MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=TASKS, max_length=16)),
    MultiTaskTrainingArguments(
        "out", num_train_epochs=1, logging_steps=1, eval_strategy="epoch", save_strategy="no", report_to="trackio",
        project="reviews", run_name="first", use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False,
    ),
    train_dataset=rows(),
    eval_dataset=rows(),
    processing_class=BertTokenizer.from_pretrained(sys.argv[1]),
)
trainer.train()
show = [sys.executable, "-m", "trackio.cli", "list", "metrics", "--project", "reviews", "--run", "first", "--json"]
result = json.loads(subprocess.run(show, capture_output=True, text=True, check=True).stdout)["metrics"]
"""


@pytest.mark.slow
def test_trackio_shows_every_tasks_loss_and_metrics_without_a_network(
    tmp_path: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    shown = run_fresh(TRACKIO, backbone, folder=tmp_path, without_us=False)

    assert {"train/topic_loss", "train/rating_loss", "eval/topic_accuracy", "eval/score"} <= set(shown)
    assert [path.name for path in (tmp_path / "trackio").glob("*.db")] == ["reviews.db"]


BUFFERS = """
import sys
import torch
from accelerate import PartialState
from transformers import BertTokenizer
from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from tests.conftest import tiny_bert_config
from tests.unit.training.test_trainer_features import TASKS, rows
losses = []
for broadcast in (True, False, None):
    torch.manual_seed(0)
    trainer = MultiTaskTrainer(
        MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=TASKS, max_length=16)),
        MultiTaskTrainingArguments(
            sys.argv[2], num_train_epochs=2, per_device_train_batch_size=2, gradient_accumulation_steps=2,
            logging_steps=1, save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True,
            ddp_broadcast_buffers=broadcast, dataloader_pin_memory=False,
        ),
        train_dataset=rows(),
        processing_class=BertTokenizer.from_pretrained(sys.argv[1]),
    )
    assert trainer.args.world_size == 2
    trainer.train()
    losses.append([line["loss"] for line in trainer.state.log_history if "loss" in line])
if PartialState().is_main_process:
    import json
    print("losses:", json.dumps(losses))
PartialState().destroy_process_group()
"""


@pytest.mark.slow
def test_broadcasting_buffers_changes_nothing_for_two_processes(tmp_path: Path, backbone: Path) -> None:
    # P36: an encoder's position numbers are a buffer, and writing to it between two micro-batches stopped backward.
    (tmp_path / "train.py").write_text(BUFFERS)

    finished = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"),
            "train.py",
            backbone,
            tmp_path / "out",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr[-4000:]
    (line,) = [line for line in finished.stdout.splitlines() if line.startswith("losses:")]
    broadcast, not_broadcast, neither = json.loads(line.removeprefix("losses:"))
    assert broadcast == not_broadcast == neither
