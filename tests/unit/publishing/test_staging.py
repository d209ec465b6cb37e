"""Files for a push are written to a separate folder, and shared files of the user stay unchanged."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.hub.upload import Target
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.publishing.evidence import read_evidence
from modeling_multitask.publishing.links import Links
from modeling_multitask.publishing.shipment import Shipment
from modeling_multitask.publishing.staging import write_adapter, write_base, write_model
from modeling_multitask.training.adapter import save_adapter
from tests.conftest import ROOT
from tests.unit.training.test_lora import adapted

RESULTS = '{"test": {"topic": {"rows": 3, "accuracy": 0.5}}}'


@pytest.fixture
def shipment(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Shipment:
    """A model and an adapter that have, like those of the Hub, every file that a push writes itself."""
    own, adapter = tmp_path / "run" / "model", tmp_path / "run" / "adapter"
    save_folder(model, tokenizer, own)
    save_adapter(adapted(model), tokenizer, adapter)
    for folder in (own, adapter, adapter / "base"):
        (folder / "README.md").write_text("---\nlicense: mit\n---\nBy hand.\n")
    (own.parent / "results.json").write_text(RESULTS)
    (own / "results.json").write_text("{}")
    (own / "handler.py").write_text("# of an earlier push\n")
    (own / "pictures").mkdir()
    (own / "pictures" / "answers.png").write_bytes(b"of an earlier push")
    return Shipment(
        model=own,
        target=Target("me/model"),
        config=model.config,
        evidence=read_evidence(own),
        template=(ROOT / "model_card.md").read_text(),
        settings=CardSettings(license="apache-2.0"),
        adapter="me/lora",
        adapter_folder=adapter,
    )


def write(shipment: Shipment, work: Path, *, link: bool) -> None:
    """Everything, twice, as by a push that is done again."""
    for _ in range(2):
        write_model(shipment, work / "model", Links("me/model", adapter="me/lora"), link=link)
        write_adapter(shipment, work / "adapter", revision="0" * 40, link=link)
        write_base(shipment, work / "base", link=link)


def state(folder: Path) -> dict[str, tuple[bytes, int, int, int]]:
    """Of each file its content, its number on the disk, its mode, and when it was written."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), found.st_ino, found.st_mode, found.st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and (found := path.stat())
    }


@pytest.mark.parametrize("link", [True, False])
def test_the_users_own_folders_stay_as_they_were(tmp_path: Path, shipment: Shipment, link: bool) -> None:
    before = state(tmp_path / "run")

    write(shipment, tmp_path / "work", link=link)

    written = {path.relative_to(tmp_path / "work").as_posix() for path in (tmp_path / "work").rglob("*")}
    assert {"model/results.json", "model/pictures/answers.png", "adapter/README.md", "base/README.md"} <= written
    assert state(tmp_path / "run") == before


@pytest.mark.parametrize("name", ["README.md", "results.json", "pictures/answers.png", "handler.py"])
def test_what_a_push_writes_itself_is_no_other_name_of_the_users_file(
    tmp_path: Path, shipment: Shipment, name: str
) -> None:
    write(shipment, tmp_path / "work", link=True)

    own, written = tmp_path / "run" / "model" / name, tmp_path / "work" / "model" / name
    assert not own.samefile(written)
    assert own.read_bytes() != written.read_bytes()


def test_results_of_an_older_run_are_pushed_as_strict_json(tmp_path: Path, shipment: Shipment) -> None:
    older = replace(shipment, evidence=replace(shipment.evidence, results={"test": {"score": math.nan}}))

    write_model(older, tmp_path / "work", Links("me/model", adapter="me/lora"))

    assert json.loads((tmp_path / "work" / "results.json").read_text(), parse_constant=pytest.fail)["test"] == {
        "score": None
    }


def test_a_push_keeps_the_users_own_requirements(tmp_path: Path, shipment: Shipment) -> None:
    write(shipment, tmp_path / "without", link=True)
    (tmp_path / "run" / "model" / "requirements.txt").write_text("transformers==5.20\n")
    write(shipment, tmp_path / "with", link=True)

    assert (tmp_path / "without/model/requirements.txt").read_text().startswith("transformers>=")
    assert (tmp_path / "with/model/requirements.txt").read_text() == "transformers==5.20\n"


def test_weights_are_linked_and_not_copied(tmp_path: Path, shipment: Shipment) -> None:
    write(shipment, tmp_path / "work", link=True)

    assert (tmp_path / "run/model/model.safetensors").samefile(tmp_path / "work/model/model.safetensors")


def test_where_the_disk_allows_no_links_weights_are_copied(
    tmp_path: Path, shipment: Shipment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    own, written = tmp_path / "run/model/model.safetensors", tmp_path / "work/model/model.safetensors"

    write(shipment, tmp_path / "work", link=True)

    assert not own.samefile(written)
    assert own.read_bytes() == written.read_bytes()
