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

from datasets_builder.card_merge import is_signed, merge_cards
from datasets_builder.publish import link_model
from datasets_builder.upload import CARD, Pushed, Target, look, patiently, push_folder

from ..inference.loading import load
from ..pipeline_multitask import MultiTaskPipeline
from .adapter_card import make_adapter_card, make_base_card
from .answers_plot import draw_answers
from .card import ANSWERS, EXAMPLES, FROM_EVIDENCE, make_card
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
    # What transformers' own push of a training leaves there.
    *("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state*.pth", "trainer_state.json"),
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
    if by_hand.is_file():
        card = merge_cards(by_hand.read_text(encoding="utf-8"), card, keep=_unknown(shipment))
    _write(folder / CARD, card)


def _unknown(shipment: Shipment) -> tuple[str, ...]:
    """The sections of a card that nothing beside the model can fill, as of one that comes from the Hub."""
    return () if shipment.evidence.report or shipment.evidence.results else FROM_EVIDENCE


def write_adapter(
    shipment: Shipment, folder: Path, *, links: Links | None = None, revision: str | None = None, link: bool = True
) -> None:
    """Writes what the adapter's repository is to hold.

    Args:
        shipment: Which has an adapter.
        folder: An empty folder.
        links: What its card points to; what belongs to the shipment if left out.
        revision: The commit of the model that it sits on, once that is known; the adapter names it.
        link: Whether files may be other names of the adapter's own.
    """
    source, base_id = _adapter_folder(shipment), base_repo_id(str(shipment.adapter))
    _copy(source, folder, leave_out=("base",), link=link)
    links = links or shipment.links()
    card = make_adapter_card(str(shipment.adapter), base_id, links, shipment.settings, base_revision=revision)
    _write(folder / CARD, card)
    config = json.loads((source / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    # It named a folder of this machine.
    config |= {"base_model_name_or_path": base_id, "revision": revision}
    _write(folder / ADAPTER_CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_base(shipment: Shipment, folder: Path, *, links: Links | None = None, link: bool = True) -> None:
    """Writes what the repository is to hold of the model that an adapter sits on.

    Args:
        shipment: Which has an adapter.
        folder: An empty folder.
        links: What its card points to; what belongs to the shipment if left out.
        link: Whether files may be other names of that model's own.
    """
    adapter = str(shipment.adapter)
    _copy(_adapter_folder(shipment) / "base", folder, link=link)
    links = links or shipment.links()
    _write(folder / CARD, make_base_card(base_repo_id(adapter), adapter, links, shipment.settings))


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
    there = patiently(lambda: look(api, shipment.target), api)
    # What an earlier push has linked, and this one does not name, stays linked.
    links, pushed = shipment.links(collection).or_those_of(there and there.card), []
    if shipment.adapter is not None:
        pushed += _push_adapter(api, shipment, links, work)
    if shipment.model is not None:
        write_model(shipment, _empty(work / "model"), links)
        pushed.append(_push(api, work / "model", shipment.target, keep=_unknown(shipment)))
    if shipment.space is not None:
        space = Target(shipment.space, "space", private=shipment.target.private, space_sdk="gradio")
        _write_space(shipment, _empty(work / "space"), links, pushed[-1].commit)
        pushed.append(_push(api, work / "space", space))
    if collection is not None:
        _add_items(api, collection, shipment.items)
    if shipment.dataset is not None and shipment.model is not None and not shipment.target.create_pr:
        _link_from_dataset(api, shipment.dataset, shipment.target.repo_id)
    return pushed


def _link_from_dataset(api: HfApi, dataset: str, model: str) -> None:
    try:
        link_model(api, dataset, model)
    except OSError as error:  # it may be somebody else's
        logger.warning(f"The card of {dataset} does not name {model}: {error}")


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
        _write_space(shipment, _empty(work / "space"), shipment.links(), "main")
        written.append((Target(shipment.space, "space", space_sdk="gradio"), work / "space"))
    for target, folder in written:
        refuse(target.repo_id, file_problems(folder))
    return written


def _draw_answers(shipment: Shipment, path: Path) -> bool:
    """Draws the answers to the recipe's first example, or to one of ours; whether there is something to draw with."""
    examples = shipment.evidence.recipe.get("examples") or EXAMPLES
    model, tokenizer = load(str(shipment.model))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be another name of the model's own file
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


def _push_adapter(api: HfApi, shipment: Shipment, links: Links, work: Path) -> list[Pushed]:
    target = replace(shipment.target, repo_id=str(shipment.adapter))
    write_base(shipment, _empty(work / "adapter-base"), links=links)
    below = _push(api, work / "adapter-base", replace(target, repo_id=base_repo_id(target.repo_id)))
    write_adapter(shipment, _empty(work / "adapter"), links=links, revision=below.commit)
    return [below, _push(api, work / "adapter", target)]


def _write_space(shipment: Shipment, folder: Path, links: Links, revision: str) -> None:
    write_space(
        folder,
        links=links,
        revision=revision,
        title=shipment.title,
        license=shipment.settings.license,
        examples=shipment.evidence.recipe.get("examples"),
    )


def _push(api: HfApi, folder: Path, target: Target, keep: tuple[str, ...] = ()) -> Pushed:
    message = "Add the demo" if target.repo_type == "space" else "Add the multi-task model"
    merge = _merge_space_cards if target.repo_type == "space" else partial(merge_cards, keep=keep)
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
    to.unlink(missing_ok=True)  # it may be another name of a file that must not be written to
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
