"""Text snapshots of the formats that saved models depend on, so that every change is visible in review."""

import json
import re
from pathlib import Path

import pytest

from modeling_multitask import LearningRates, MultiTaskModel
from modeling_multitask.training.parameter_groups import parameter_groups
from tests.unit.publishing.card_evidence import a_card

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"


def check(name: str, text: str) -> None:
    """Compare with the committed file, and write it again if it was deleted."""
    path = SNAPSHOTS / name
    if not path.exists():
        path.write_text(text)
        pytest.fail(f"{path} was missing and is written; look at it and commit it")
    assert text == path.read_text()


def test_config_json_is_what_it_was(model: MultiTaskModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())

    theirs = {"backbone_config": "...", "transformers_version": "..."}  # these differ between releases of transformers
    check("config.json.txt", json.dumps({**written, **theirs}, indent=2) + "\n")


def test_names_and_shapes_of_the_weights_are_what_they_were(model: MultiTaskModel) -> None:
    check("weights.txt", "".join(f"{name} {tuple(value.shape)}\n" for name, value in model.state_dict().items()))


def test_parameter_groups_are_what_they_were(model: MultiTaskModel) -> None:
    groups = parameter_groups(model, LearningRates(heads=1e-3, backbone=1e-4, layer_decay=0.5), weight_decay=0.01)

    lines = [f"{group['lr']:.2e} {group['weight_decay']} {name}\n" for group in groups for name, _ in group["params"]]
    check("parameter_groups.txt", "".join(lines))


def test_the_card_is_what_it_was() -> None:
    # The version from setup.cfg and the digests that depend on it are not part of the snapshot.
    check("model_card.md.txt", re.sub(r">=[\d.]+|(?<=generated: use )\w+", "...", a_card()))
