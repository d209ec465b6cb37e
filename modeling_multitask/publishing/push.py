"""A trained model on the Hub: its repository, those of its adapter and its demo, and the collection of them all."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from transformers.utils import logging

from datasets_builder.upload import CARD, Pushed, Target, look, patiently, push_folder

from ..inference.loading import load
from ..pipeline_multitask import MultiTaskPipeline
from .adapter_card import make_adapter_card, make_base_card
from .answers_plot import draw_answers
from .card import ANSWERS, make_card
from .card_merge import is_signed, merge_cards
from .demo.task_answers import answer_text
from .inspection import file_problems, pushed_files
from .links import Links
from .shipment import ADAPTER_CONFIG, Shipment, base_repo_id, refuse
from .space import write_space

logger = logging.get_logger(__name__)

PICTURES = "pictures"
# What a push deletes there if it has no such file itself: whatever one of the loaders would read beside other weights.
OWNED = (
    *("*_multitask.py", "config.json", "model*.safetensors", "model.safetensors.index.json", "pytorch_model*.bin"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "*.model"),
    *("modules.json", "*sentence*transformers.json", "sentence_bert_config.json", "*_Pooling/*", "*_Normalize/*"),
    *("adapter_*", "results.json", f"{PICTURES}/*", "onnx/model*", "onnx/*.json", "onnx/predict_onnx.py"),
    *("openvino/openvino_model*", "openvino/*.json", "openvino/predict_onnx.py"),
)
OWNED_OF_SPACE = ("*.py", "*.css", "settings.json", "requirements.txt")
_LONGEST_TITLE = 59  # letters that the Hub allows a collection's


def write_model(shipment: Shipment, folder: Path, links: Links, *, link: bool = True) -> None:
    """Writes what the model's repository is to hold: the model, its card, its results and their pictures.

    Args:
        shipment: Which has a model.
        folder: An empty folder.
        links: What the card points to.
        link: Whether files may be other names of the model's own, which saves their copies.
    """
    if shipment.model is None:
        raise ValueError("there is no model to write; only its adapter is to be pushed")
    _copy(shipment.model, folder, link=link)
    for name, path in shipment.evidence.pictures.items():
        _bring(path, folder / PICTURES / name, link=link)
    drawn = _draw_answers(shipment, folder / PICTURES / ANSWERS)
    pictures = {**shipment.evidence.pictures, **({ANSWERS: folder / PICTURES / ANSWERS} if drawn else {})}
    if shipment.evidence.results:
        _write(folder / "results.json", json.dumps(shipment.evidence.results, indent=2) + "\n")
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
    _write(folder / CARD, merge_cards(by_hand.read_text(encoding="utf-8"), card) if by_hand.is_file() else card)


def write_adapter(shipment: Shipment, folder: Path, *, revision: str | None = None, link: bool = True) -> None:
    """Writes what the adapter's repository is to hold.

    Args:
        shipment: Which has an adapter.
        folder: An empty folder.
        revision: The commit of the model that it sits on, once that is known; the adapter names it.
        link: Whether files may be other names of the adapter's own.
    """
    source, base_id = _adapter_folder(shipment), base_repo_id(str(shipment.adapter))
    model_id = shipment.target.repo_id if shipment.model else None
    _copy(source, folder, leave_out=("base",), link=link)
    _write(folder / CARD, make_adapter_card(str(shipment.adapter), base_id, model_id, shipment.settings))
    config = json.loads((source / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    # It named a folder of this machine.
    config |= {"base_model_name_or_path": base_id, "revision": revision}
    _write(folder / ADAPTER_CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_base(shipment: Shipment, folder: Path, *, link: bool = True) -> None:
    """Writes what the repository is to hold of the model that an adapter sits on.

    Args:
        shipment: Which has an adapter.
        folder: An empty folder.
        link: Whether files may be other names of that model's own.
    """
    adapter = str(shipment.adapter)
    _copy(_adapter_folder(shipment) / "base", folder, link=link)
    _write(folder / CARD, make_base_card(base_repo_id(adapter), adapter, shipment.settings))


def _adapter_folder(shipment: Shipment) -> Path:
    if shipment.adapter_folder is None:
        raise ValueError("there is no adapter to write")
    return shipment.adapter_folder


def push(api: HfApi, shipment: Shipment, work: Path) -> list[Pushed]:
    """Pushes everything, each repository by one commit: what others point to comes first.

    Cut off between two of them, the next push completes it.

    Args:
        api: Of the Hub, with its token.
        shipment: What, and where.
        work: An empty folder for what is written on the way.

    Returns:
        Where each has gone, in order.

    Raises:
        OSError: If the Hub cannot be reached or refuses, or the data set is not there.
    """
    if shipment.dataset is not None:
        _check_dataset(api, shipment.dataset)
    collection = _make_collection(api, shipment)
    links, pushed = shipment.links(collection), []
    if shipment.adapter is not None:
        pushed += _push_adapter(api, shipment, work)
    if shipment.model is not None:
        write_model(shipment, _empty(work / "model"), links)
        pushed.append(_push(api, work / "model", shipment.target))
    if shipment.space is not None:
        space = Target(shipment.space, "space", private=shipment.target.private, space_sdk="gradio")
        _write_space(shipment, _empty(work / "space"), pushed[-1].commit)
        pushed.append(_push(api, work / "space", space))
    if collection is not None:
        _add_items(api, collection, shipment.items)
    return pushed


def write_all(shipment: Shipment, work: Path) -> list[tuple[Target, Path]]:
    """Writes everything as it would be pushed, for people to look at; returns where each would go, and its folder.

    Raises:
        ShipmentError: If what is written holds a secret, or a path of this machine, as a description may.
    """
    written = []
    if shipment.adapter is not None:
        adapter, base = Target(shipment.adapter), Target(base_repo_id(shipment.adapter))
        write_base(shipment, _empty(work / "adapter-base"), link=False)
        write_adapter(shipment, _empty(work / "adapter"), link=False)
        written += [(base, work / "adapter-base"), (adapter, work / "adapter")]
    if shipment.model is not None:
        write_model(shipment, _empty(work / "model"), shipment.links(), link=False)
        written.append((shipment.target, work / "model"))
    if shipment.space is not None:
        _write_space(shipment, _empty(work / "space"), "main")
        written.append((Target(shipment.space, "space", space_sdk="gradio"), work / "space"))
    for target, folder in written:
        refuse(target.repo_id, file_problems(folder))
    return written


def _draw_answers(shipment: Shipment, path: Path) -> bool:
    """Draws the answers to the recipe's first example; whether there is one, and something to draw with."""
    examples = shipment.evidence.recipe.get("examples")
    if not examples:
        return False
    model, tokenizer = load(str(shipment.model))
    path.parent.mkdir(parents=True, exist_ok=True)
    answer = answer_text(MultiTaskPipeline(model=model, tokenizer=tokenizer), examples[0])
    try:
        draw_answers(answer.tasks, examples[0], path)
    except ImportError as error:
        logger.warning(f"The card has no picture of answers: {error}")
        return False
    return True


def _check_dataset(api: HfApi, name: str) -> None:
    if patiently(lambda: look(api, Target(name, "dataset")), api) is None:
        raise FileNotFoundError(
            f"there is no data set {name} on the Hub; push it first: python -m scripts.data RECIPE --push {name} --yes"
        )


def owned_by(target: Target) -> tuple[str, ...]:
    """Patterns of the files that a push there deletes if it has no such file itself."""
    return OWNED_OF_SPACE if target.repo_type == "space" else OWNED


def _push_adapter(api: HfApi, shipment: Shipment, work: Path) -> list[Pushed]:
    target = replace(shipment.target, repo_id=str(shipment.adapter))
    write_base(shipment, _empty(work / "adapter-base"))
    below = _push(api, work / "adapter-base", replace(target, repo_id=base_repo_id(target.repo_id)))
    write_adapter(shipment, _empty(work / "adapter"), revision=below.commit)
    return [below, _push(api, work / "adapter", target)]


def _write_space(shipment: Shipment, folder: Path, revision: str) -> None:
    write_space(
        folder,
        space_id=str(shipment.space),
        model_id=shipment.target.repo_id,
        revision=revision,
        title=shipment.title,
        license=shipment.settings.license,
        examples=shipment.evidence.recipe.get("examples"),
    )


def _push(api: HfApi, folder: Path, target: Target) -> Pushed:
    message = "Add the demo" if target.repo_type == "space" else "Add the multi-task model"
    merge = _merge_space_cards if target.repo_type == "space" else merge_cards
    return push_folder(api, folder, target, owned=owned_by(target), message=message, merge_cards=merge)


def _merge_space_cards(existing: str, new: str) -> str:
    """As `merge_cards`; but of a card that is none of ours nothing stays: the Hub itself puts one into a new Space."""
    return merge_cards(existing, new) if is_signed(existing) else new


def _make_collection(api: HfApi, shipment: Shipment) -> str | None:
    """The slug of the collection, made if it is not there.

    `None` if there is but one repository to put into it, or only a pull request, or the token may not make one.
    """
    if len(shipment.items) < 2 or shipment.target.create_pr:
        return None
    owner = shipment.items[0][1].partition("/")[0]

    def make() -> str:
        title = shipment.title[:_LONGEST_TITLE]
        private = bool(shipment.target.private)
        return str(api.create_collection(title, namespace=owner, private=private, exists_ok=True).slug)

    try:
        return str(patiently(make, api))
    except OSError as error:
        logger.warning(f"There is no collection: {error}")
        return None


def _add_items(api: HfApi, collection: str, items: Sequence[tuple[Any, str]]) -> None:
    for kind, name in items:
        try:
            patiently(partial(api.add_collection_item, collection, name, kind, exists_ok=True), api)
        except OSError as error:
            logger.warning(f"{name} is not in the collection: {error}")


def _copy(source: Path, folder: Path, leave_out: tuple[str, ...] = (), *, link: bool) -> None:
    for path in pushed_files(source):
        name = path.relative_to(source)
        if name.parts[0] not in (*leave_out, CARD):
            _bring(path, folder / name, link=link)


def _bring(path: Path, to: Path, *, link: bool) -> None:
    """The file at another place; if it may be linked, without a copy of its content where the disk allows it."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if not link:
        shutil.copy2(path, to)
        return
    try:
        os.link(path, to)
    except OSError:
        shutil.copy2(path, to)


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # it may be another name of the model's own file
    path.write_text(text, encoding="utf-8")


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
