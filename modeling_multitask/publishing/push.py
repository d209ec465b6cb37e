"""A trained model on the Hub: its repository, those of its adapter and its demo, and the collection of them all."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from transformers.utils import logging

from ..hub.card_merge import is_signed, merge_cards
from ..hub.upload import Pushed, Target, look, patiently, push_folder
from .dataset import link_model
from .links import Links
from .shipment import Shipment, base_repo_id
from .staging import PICTURES, empty, unknown_sections, write_adapter, write_base, write_demo, write_model

logger = logging.get_logger(__name__)

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
        write_model(shipment, empty(work / "model"), links)
        pushed.append(_push(api, work / "model", shipment.target, keep=unknown_sections(shipment)))
    if shipment.space is not None:
        space = Target(shipment.space, "space", private=shipment.target.private, space_sdk="gradio")
        write_demo(shipment, empty(work / "space"), links, pushed[-1].commit)
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


def _check_dataset(api: HfApi, name: str) -> None:
    if patiently(lambda: look(api, Target(name, "dataset")), api) is None:
        raise FileNotFoundError(
            f"there is no data set {name} on the Hub; push it first: multitask data RECIPE --push {name} --yes"
        )


def owned_by(target: Target) -> tuple[str, ...]:
    """Patterns of the files that a push there deletes if it has no such file itself."""
    return OWNED_OF_SPACE if target.repo_type == "space" else OWNED


def _push_adapter(api: HfApi, shipment: Shipment, links: Links, work: Path) -> list[Pushed]:
    target = replace(shipment.target, repo_id=str(shipment.adapter))
    write_base(shipment, empty(work / "adapter-base"), links=links)
    below = _push(api, work / "adapter-base", replace(target, repo_id=base_repo_id(target.repo_id)))
    write_adapter(shipment, empty(work / "adapter"), links=links, revision=below.commit)
    return [below, _push(api, work / "adapter", target)]


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
