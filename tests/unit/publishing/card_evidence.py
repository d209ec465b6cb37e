"""The files and the card of a model with one task of each type, as a run and a report write them."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from modeling_multitask import MultiTaskConfig, TaskConfig
from modeling_multitask.evaluation.report import report_as_json
from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.publishing.card.model import Links, make_card
from modeling_multitask.publishing.evidence import Evidence
from tests.conftest import ROOT, tiny_bert_config
from tests.unit.evaluation.test_report import TASKS, judged_rows, report_of

TEMPLATE = (ROOT / "model_card.md").read_text()
SECRET = "hf_aSecretThatNobodyMayRead"
TEXT = "a private sentence of the data"
FOLDER = "/home/somebody/private"
EXAMPLE = "The battery died within a day."
SETTINGS = CardSettings(
    "Reviews", "What people *think*.", "apache-2.0", "@misc{reviews, title={Reviews}}", language=["en", "no"]
)
LINKS = Links("me/reviews", "me/data", "me/demo", "me/adapter", "me/base", "me/reviews-0123456789abcdef01234567")
RECIPE: dict[str, Any] = {
    "backbone": f"{FOLDER}/encoder",
    "start_from": None,
    "tasks": [],
    "data": {
        "train": [{"path": f"{FOLDER}/reviews.csv"}, {"path": "org/more_reviews"}],
        "validation": [],
        "test": [{"path": "C:\\Users\\somebody\\test.csv"}],
        "split": {"validation": 0.1, "test": None, "seed": None, "group": "customer"},
        "hide_labels": {"fraction": 0.33, "seed": 0},
        "contradictions": "majority",
        "leaks": "remove",
        "card": {"title": "Reviews of 2026"},
    },
    "freeze": ["embeddings", "layers.0"],
    "learning_rates": {"heads": 0.001, "backbone": 2e-4, "layer_decay": 0.8, "upper": None, "patterns": None},
    "phases": None,
    "balancing": "uncertainty",
    "sampling": {"strategy": "concatenated", "temperature": 2.0, "task": None},
    "calibrate": ["temperature"],
    "lora": {"r": 8, "lora_alpha": 16, "base_model_name_or_path": FOLDER},
    "training": {"num_train_epochs": 3.0, "bf16": True, "hub_token": SECRET, "logging_dir": FOLDER, "optim": None},
    "seed": 0,
    "output_dir": f"{FOLDER}/runs",
    "examples": [EXAMPLE, "Great soup."],
    "card": {"title": "Reviews", "license": "apache-2.0", "language": ["en"]},
}
TRAINING: dict[str, Any] = {
    "date": "2026-11-21",
    "seconds": 754.2,
    "cpu_seconds": 1480.0,
    "resumed": 1,
    "steps": 528,
    "epochs": 8.0,
    "rows": {"train": 2093, "validation": 299, "test": 598},
    "labelled_rows": {"topic": 1402, "liked": None},
    "parameters": 22_713_216,
    "trained_parameters": 1_000_000,
    "hardware": {
        "processor": "A Processor",
        "cores": 2,
        "memory": 8 * 2**30,
        "accelerators": ["A GPU", "A GPU"],
        "processes": 1,
    },
    "versions": {"python": "3.13.1", "torch": "2.13.0"},
    "energy": {"kilowatt_hours": 0.00493, "assumption": "12 W for each busy core"},
}


def a_config(tasks: list[TaskConfig] | None = None, **settings: Any) -> MultiTaskConfig:
    """A tiny encoder with one task of each type, unless others are given."""
    return MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks or TASKS, max_length=16, **settings)


@cache
def a_report() -> dict[str, Any]:
    """Of random answers; every text is one that must not be shown."""
    return report_as_json(report_of(judged_rows(texts=[TEXT])))


def an_evidence(**other: Any) -> Evidence:
    """All there is, unless something else is given."""
    pictures = {name: Path(FOLDER) / name for name in ("confusion_topic.png", "reliability_topic.png", "scatter_x.png")}
    given = {"recipe": RECIPE, "training": TRAINING, "report": a_report(), "pictures": pictures}
    return Evidence(**{**given, **other})


def a_card(**other: Any) -> str:
    """The card of all that, unless something else is given."""
    return _make(**other) if other else _the_card()


@cache
def _the_card() -> str:
    return _make()


def _make(**other: Any) -> str:
    given: dict[str, Any] = {
        "repo_id": "me/reviews",
        "config": a_config(),
        "evidence": an_evidence(),
        "links": LINKS,
        "settings": SETTINGS,
    }
    return make_card(TEMPLATE, **{**given, **other})


def a_bare_card(**other: Any) -> str:
    """Return the card of a model without any files next to it."""
    return a_card(**{"evidence": Evidence(), "links": Links(), "settings": CardSettings(), **other})


def a_recipe(**other: Any) -> Evidence:
    """All evidence, with some words of the recipe changed."""
    return replace(an_evidence(), recipe={**RECIPE, **other})


def section(card: str, name: str) -> str:
    """The text of a generated section."""
    own = re.split(rf"^<!-- generated: {name} \w+ -->\n", _body(card), flags=re.MULTILINE)[1]
    return re.split(r"^<!-- generated: ", own, flags=re.MULTILINE)[0]


def tokens(card: str) -> list[Token]:
    """The card's text as CommonMark with GFM's tables has it, those within lines among them."""
    blocks = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(_body(card))
    return [each for block in blocks for each in (block, *(block.children or []))]


def _body(card: str) -> str:
    """Without the metadata."""
    return card.split("\n---\n", maxsplit=1)[1]
