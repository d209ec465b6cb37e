"""`keep_embedding` trains to the same weights in two processes as in one, and a run of two processes ends (P8)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.launched import finish, results_of

pytestmark = pytest.mark.slow

TRAIN = """
import sys
import torch
from datasets import Dataset
from tests.process_training import NO_DROPOUT, SENTIMENT, build_model, build_trainer, end, texts_of_three_words

backbone, batch_size, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
rows = Dataset.from_dict({
    "text": texts_of_three_words(16),
    "sentiment": [None if i % 3 == 1 else i % 2 for i in range(16)],
    "rating": [i / 8 if i in (0, 1, 3, 6) else None for i in range(16)],  # the second process has none
})
tasks = [SENTIMENT, {"name": "rating", "problem_type": "regression"}]
runs = {}
for balancing in ("sum", "upgrad"):
    trainer = build_trainer(
        build_model(backbone, tasks, **NO_DROPOUT), backbone, output, rows, max_steps=4, optim="sgd",
        per_device_train_batch_size=batch_size, train_sampling_strategy="sequential", learning_rate=1e-2,
        max_grad_norm=0.0, logging_steps=1, save_strategy="no", balancing=balancing, keep_embedding={"weight": 5.0},
    )
    trainer.train()
    runs[balancing] = {
        "weights": torch.cat([p.detach().flatten() for p in trainer.model.parameters()]),
        "losses": [line["keep_embedding_loss"] for line in trainer.state.log_history if "loss" in line],
    }
end(runs, output)
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of one process, and of two."""
    return [tmp_path_factory.mktemp("run") for _ in range(2)]


@pytest.fixture(scope="module")
def runs(folders: list[Path], backbone: Path) -> list[dict[str, Any]]:
    """The weights and the logged terms after four steps over 16 rows, in one process, and in the first of two."""
    return [
        results_of(TRAIN, backbone, 16 // processes, folder=folder, processes=processes)[0]
        for processes, folder in enumerate(folders, start=1)
    ]


@pytest.mark.parametrize("balancing", ["sum", "upgrad"])
def test_two_processes_train_to_the_weights_of_one(runs: list[dict[str, Any]], balancing: str) -> None:
    one, two = (each[balancing]["weights"] for each in runs)

    assert (one - two).norm() < 1e-5 * one.norm()  # float32 sums in another order


@pytest.mark.parametrize("balancing", ["sum", "upgrad"])
def test_two_processes_log_the_term_of_one(runs: list[dict[str, Any]], balancing: str) -> None:
    one, two = (each[balancing]["losses"] for each in runs)

    assert len(one) == 4
    assert one[-1] > 1e-4
    assert two == pytest.approx(one, rel=1e-3, abs=1e-6)


@pytest.mark.usefixtures("runs")
def test_one_of_two_processes_embeds_the_rows_in_memory(folders: list[Path]) -> None:
    said = [(folder / "said.txt").read_text() for folder in folders]

    assert [each.count("keep_embedding: 16 texts were embedded") for each in said] == [2, 2]  # once per training


PAIRS = {"objective": "contrastive", "train": ["backbone"], "until": "step 1", "learning_rates": {"backbone": 1e-2}}


@pytest.mark.parametrize(
    "settings",
    [{"keep_embedding": {"weight": 0.1}}, {"phases": [PAIRS, {"train": ["heads"]}], "lora": {"r": 2}}],
    ids=["keep_embedding", "pairs"],
)
def test_a_recipe_of_two_processes_ends_with_the_effect_on_the_embedding(
    tmp_path: Path, backbone: Path, settings: dict[str, Any]
) -> None:
    rows = [f"the {'film' if i % 2 else 'food'} was {i},{i % 2}" for i in range(48)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,topic", *rows]) + "\n")
    recipe: dict[str, Any] = {
        "backbone": str(backbone),
        "tasks": [{"name": "topic", "problem_type": "single_label_classification"}],
        "data": {"train": "rows.csv", "split": {"validation": 0.2, "test": 0.2}},
        "probe": False,
        "training": {"max_steps": 2, "use_cpu": True},
        "output_dir": str(tmp_path / "run"),
        **settings,
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))

    finish("-m", "modeling_multitask", "train", "recipe.yaml", folder=tmp_path, processes=2)

    assert json.loads((tmp_path / "run/training.json").read_text())["embedding"]["texts"] > 3
