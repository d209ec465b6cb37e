"""Local folders with the content of the pushed repositories: model, adapter, base model and demo."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

from transformers.utils import logging

from ..files import strict_json
from ..hub.card_merge import merge_cards
from ..hub.upload import CARD, Target
from ..inference.loading import load, read_config
from ..pipeline_multitask import MultiTaskPipeline
from .answers_plot import draw_answers
from .card.adapter import make_adapter_card, make_base_card
from .card.model import ANSWERS, EXAMPLES, FROM_EVIDENCE, make_card
from .card.words import requirement
from .demo.task_answers import answer_text
from .inspection import file_problems, pushed_files
from .links import Links
from .shipment import ADAPTER_CONFIG, Shipment, base_repo_id, refuse
from .space import write_space

logger = logging.get_logger(__name__)

PICTURES = "pictures"
HANDLER = Path(__file__).with_name("handler.py")
REQUIREMENTS = "requirements.txt"


def write_model(shipment: Shipment, folder: Path, links: Links, *, link: bool = True) -> None:
    """Write the content of the model's repository: the model, its card, its results, their pictures and a handler.

    Args:
        shipment: A shipment with a model.
        folder: Empty output folder.
        links: Repositories that the card links to.
        link: Whether files may be hard links to the model's files, which avoids copies.
    """
    if shipment.model is None:
        raise ValueError("the shipment has no model, only an adapter; use write_adapter")
    _copy(shipment.model, folder, link=link)
    for name, path in shipment.evidence.pictures.items():
        _bring(path, folder / PICTURES / name, link=link)
    drawn = _draw_answers(shipment, folder / PICTURES / ANSWERS)
    pictures = {**shipment.evidence.pictures, **({ANSWERS: folder / PICTURES / ANSWERS} if drawn else {})}
    if shipment.evidence.results:
        _write(folder / "results.json", strict_json(shipment.evidence.results, indent=2) + "\n")
    _bring(HANDLER, folder / HANDLER.name, link=False)
    if not (folder / REQUIREMENTS).exists():
        # An endpoint installs it. Its server comes with an older transformers, and with a suitable torch.
        _write(folder / REQUIREMENTS, requirement("transformers") + "\n")
    card = make_card(
        shipment.template,
        repo_id=shipment.target.repo_id,
        config=shipment.config,
        evidence=replace(shipment.evidence, pictures=pictures),
        links=links,
        settings=shipment.settings,
        revision=shipment.target.revision or "main",
    )
    by_hand = shipment.model / CARD
    if by_hand.is_file():
        card = merge_cards(by_hand.read_text(encoding="utf-8"), card, keep=unknown_sections(shipment))
    _write(folder / CARD, card)


def write_adapter(
    shipment: Shipment, folder: Path, *, links: Links | None = None, revision: str | None = None, link: bool = True
) -> None:
    """Write the content of the adapter's repository.

    Args:
        shipment: A shipment with an adapter.
        folder: Empty output folder.
        links: Repositories that the card links to. By default those of the shipment.
        revision: Commit of the base model, if known. The adapter pins it.
        link: Whether files may be hard links to the adapter's files.
    """
    source, base_id = _adapter_folder(shipment), base_repo_id(str(shipment.adapter))
    _copy(source, folder, leave_out=("base",), link=link)
    links = links or shipment.links()
    prompt = read_config(str(source / "base")).prompt
    settings = shipment.settings
    card = make_adapter_card(str(shipment.adapter), base_id, links, settings, base_revision=revision, prompt=prompt)
    _write(folder / CARD, card)
    config = json.loads((source / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    # The saved value is a folder of this machine.
    config |= {"base_model_name_or_path": base_id, "revision": revision}
    _write(folder / ADAPTER_CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_base(shipment: Shipment, folder: Path, *, links: Links | None = None, link: bool = True) -> None:
    """Write the content of the repository of an adapter's base model.

    Args:
        shipment: A shipment with an adapter.
        folder: Empty output folder.
        links: Repositories that the card links to. By default those of the shipment.
        link: Whether files may be hard links to the base model's files.
    """
    adapter = str(shipment.adapter)
    _copy(_adapter_folder(shipment) / "base", folder, link=link)
    links = links or shipment.links()
    _write(folder / CARD, make_base_card(base_repo_id(adapter), adapter, links, shipment.settings))


def write_demo(shipment: Shipment, folder: Path, links: Links, revision: str) -> None:
    """Write the content of the demo's repository, a Space.

    Args:
        shipment: A shipment with a demo.
        folder: Empty output folder.
        links: Repositories that the card links to.
        revision: Commit of the model that the demo loads.
    """
    write_space(
        folder,
        links=links,
        revision=revision,
        title=shipment.title,
        license=shipment.settings.license,
        examples=shipment.evidence.recipe.get("examples"),
    )


def write_all(shipment: Shipment, work: Path) -> list[tuple[Target, Path]]:
    """Write all repositories as they would be pushed, for review. Return the target and the folder of each.

    Raises:
        ShipmentError: If a written file contains a secret or a path of this machine, for example in a description.
    """
    written = []
    if shipment.adapter is not None:
        adapter, base = Target(shipment.adapter), Target(base_repo_id(shipment.adapter))
        write_base(shipment, empty(work / "adapter-base"), link=False)
        write_adapter(shipment, empty(work / "adapter"), link=False)
        written += [(base, work / "adapter-base"), (adapter, work / "adapter")]
    if shipment.model is not None:
        write_model(shipment, empty(work / "model"), shipment.links(), link=False)
        written.append((shipment.target, work / "model"))
    if shipment.space is not None:
        write_demo(shipment, empty(work / "space"), shipment.links(), "main")
        written.append((Target(shipment.space, "space", space_sdk="gradio"), work / "space"))
    for target, folder in written:
        refuse(target.repo_id, file_problems(folder))
    return written


def unknown_sections(shipment: Shipment) -> tuple[str, ...]:
    """Return the card sections that cannot be filled, because the model has no report and no results."""
    return () if shipment.evidence.report or shipment.evidence.results else FROM_EVIDENCE


def empty(folder: Path) -> Path:
    """Return the folder after deleting its content."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _draw_answers(shipment: Shipment, path: Path) -> bool:
    """Draw the answers to the recipe's first example, or to a default example. Return whether they were drawn."""
    examples = shipment.evidence.recipe.get("examples") or EXAMPLES
    model, tokenizer = load(str(shipment.model))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a hard link to the model's file
    answer = answer_text(MultiTaskPipeline(model=model, tokenizer=tokenizer), examples[0])
    try:
        draw_answers(answer.tasks, examples[0], path)
    except ImportError as error:
        logger.warning(f"The card has no picture of the answers: {error}")
        return False
    return True


def _copy(source: Path, folder: Path, leave_out: tuple[str, ...] = (), *, link: bool) -> None:
    for path in pushed_files(source):
        name = path.relative_to(source)
        if name.parts[0] not in (*leave_out, CARD):
            _bring(path, folder / name, link=link)


def _bring(path: Path, to: Path, *, link: bool) -> None:
    """Copy a file to another place, or hard-link it if this is allowed and the disk supports it."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.unlink(missing_ok=True)  # it may be a hard link to a file that must not change
    if not link:
        shutil.copy2(path, to)
        return
    try:
        os.link(path, to)
    except OSError:
        shutil.copy2(path, to)


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # it may be a hard link to the model's file
    path.write_text(text, encoding="utf-8")


def _adapter_folder(shipment: Shipment) -> Path:
    if shipment.adapter_folder is None:
        raise ValueError("the shipment has no adapter")
    return shipment.adapter_folder
