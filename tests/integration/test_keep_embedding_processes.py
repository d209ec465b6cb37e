"""`keep_embedding` trains to the same weights in two processes as in one, and a run of two processes ends (P8)."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.launched import finish

pytestmark = pytest.mark.slow

TRAIN = """
import json, sys
import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import AutoTokenizer
from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments

backbone, output, batch_size = sys.argv[1], sys.argv[2], int(sys.argv[3])
words = "the a good bad film phone food was is very not plot screen soup".split()
rows = Dataset.from_dict({
    "text": [" ".join(words[(i * k) % len(words)] for k in (1, 3, 5)) for i in range(16)],
    "sentiment": [None if i % 3 == 1 else i % 2 for i in range(16)],
    "rating": [i / 8 if i in (0, 1, 3, 6) else None for i in range(16)],  # the second process has none
})
tasks = [
    {"name": "sentiment", "problem_type": "binary_classification", "labels": ["no", "yes"]},
    {"name": "rating", "problem_type": "regression"},
]
for balancing in ("sum", "upgrad"):
    torch.manual_seed(0)
    model = MultiTaskModel.from_backbone(backbone, tasks, head={"hidden_sizes": [16], "dropout": 0.0},
                                         hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    trainer = MultiTaskTrainer(
        model=model,
        args=MultiTaskTrainingArguments(
            output, max_steps=4, per_device_train_batch_size=batch_size, train_sampling_strategy="sequential",
            learning_rate=1e-2, report_to="none", use_cpu=True, disable_tqdm=True, max_grad_norm=0.0, logging_steps=1,
            save_strategy="no", dataloader_pin_memory=False, balancing=balancing, keep_embedding={"weight": 5.0},
            optim="sgd",
        ),
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(backbone),
    )
    trainer.train()
    if trainer.is_world_process_zero():
        torch.save(torch.cat([p.detach().flatten() for p in model.parameters()]), f"{output}/{balancing}.pt")
        with open(f"{output}/{balancing}.json", "w") as file:
            json.dump([line["keep_embedding_loss"] for line in trainer.state.log_history if "loss" in line], file)
    trainer.accelerator.wait_for_everyone()
PartialState().destroy_process_group()
"""


def launch(folder: Path, backbone: Path, *, processes: int) -> Path:
    """The folder with the weights and the logged terms after four steps over 16 rows."""
    (folder / "train.py").write_text(TRAIN)
    said = finish("train.py", backbone, folder, 16 // processes, folder=folder, processes=processes)
    (folder / "said.txt").write_text(said)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> list[Path]:
    """The results of one process, and of two."""
    return [launch(tmp_path_factory.mktemp("run"), backbone, processes=count) for count in (1, 2)]


@pytest.mark.parametrize("balancing", ["sum", "upgrad"])
def test_two_processes_train_to_the_weights_of_one(folders: list[Path], balancing: str) -> None:
    one, two = (torch.load(folder / f"{balancing}.pt") for folder in folders)

    assert (one - two).norm() < 1e-5 * one.norm()  # float32 sums in another order


@pytest.mark.parametrize("balancing", ["sum", "upgrad"])
def test_two_processes_log_the_term_of_one(folders: list[Path], balancing: str) -> None:
    one, two = (json.loads((folder / f"{balancing}.json").read_text()) for folder in folders)

    assert len(one) == 4
    assert one[-1] > 1e-4
    assert two == pytest.approx(one, rel=1e-3, abs=1e-6)


def test_one_of_two_processes_embeds_the_rows_in_memory(folders: list[Path]) -> None:
    said = [(folder / "said.txt").read_text() for folder in folders]

    assert [each.count("keep_embedding: 16 texts were embedded") for each in said] == [2, 2]  # once per training


def test_a_recipe_of_two_processes_ends_with_the_effect_on_the_embedding(tmp_path: Path, backbone: Path) -> None:
    rows = [f"the {'film' if i % 2 else 'food'} was {i},{i % 2}" for i in range(48)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,topic", *rows]) + "\n")
    recipe: dict[str, Any] = {
        "backbone": str(backbone),
        "tasks": [{"name": "topic", "problem_type": "single_label_classification"}],
        "data": {"train": "rows.csv", "split": {"validation": 0.2, "test": 0.2}},
        "keep_embedding": {"weight": 0.1},
        "probe": False,
        "training": {"max_steps": 2, "use_cpu": True},
        "output_dir": str(tmp_path / "run"),
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))

    finish("-m", "modeling_multitask", "train", "recipe.yaml", folder=tmp_path, processes=2)

    assert json.loads((tmp_path / "run/training.json").read_text())["embedding"]["texts"] > 3
