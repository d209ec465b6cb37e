"""Upload of a trained model to the Hub, with its adapter, its demo and a collection of all repositories."""

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

# Remote files that a push deletes if it does not replace them: a loader could read them together with other weights.
OWNED = (
    *("*_multitask.py", "config.json", "model*.safetensors", "model.safetensors.index.json", "pytorch_model*.bin"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "*.model"),
    *("modules.json", "*sentence*transformers.json", "sentence_bert_config.json", "*_Pooling/*", "*_Dense/*"),
    "*_Normalize/*",
    # Files that the push of a transformers Trainer leaves in the repository.
    *("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state*.pth", "trainer_state.json"),
    *("adapter_*", "results.json", f"{PICTURES}/*", "onnx/model*", "onnx/*.json", "onnx/predict_onnx.py"),
    *("openvino/openvino_model*", "openvino/*.json", "openvino/predict_onnx.py"),
)
OWNED_OF_SPACE = ("*.py", "*.css", "settings.json", "requirements.txt")
_LONGEST_TITLE = 59  # characters that the Hub allows in the title of a collection


def push(api: HfApi, shipment: Shipment, work: Path) -> list[Pushed]:
    """Push all repositories of a shipment, each with one commit. A repository is pushed before those that link to it.

    If the push is interrupted between two repositories, the next push completes it.

    Args:
        api: Client of the Hub, with its token.
        shipment: The files and their targets.
        work: Empty folder for temporary files.

    Returns:
        The address and the commit of each repository, in the order of the push.

    Raises:
        OSError: If the Hub is not reachable or refuses the push, or if the data set does not exist.
    """
    if shipment.dataset is not None:
        _check_dataset(api, shipment.dataset)
    collection = _make_collection(api, shipment)
    there = patiently(lambda: look(api, shipment.target), api)
    # Links of an earlier push that this push does not set are kept.
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
    except OSError as error:  # the data set may have another owner
        logger.warning(f"The card of {dataset} was not updated with a link to {model}: {error}")


def _check_dataset(api: HfApi, name: str) -> None:
    if patiently(lambda: look(api, Target(name, "dataset")), api) is None:
        raise FileNotFoundError(
            f"data set {name} does not exist on the Hub; push it first: multitask data RECIPE --push {name} --yes"
        )


def owned_by(target: Target) -> tuple[str, ...]:
    """Return patterns of the remote files that a push deletes if it does not replace them."""
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
    """Merge cards like `merge_cards`, but replace a card without our marks: the Hub adds one to each new Space."""
    return merge_cards(existing, new) if is_signed(existing) else new


def _make_collection(api: HfApi, shipment: Shipment) -> str | None:
    """Return the slug of the collection, which is created if needed.

    `None` if there is only one repository, if the push is a pull request, or if the token may not create a collection.
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
        logger.warning(f"The collection was not created: {error}")
        return None


def _add_items(api: HfApi, collection: str, items: Sequence[tuple[Any, str]]) -> None:
    for kind, name in items:
        try:
            patiently(partial(api.add_collection_item, collection, name, kind, exists_ok=True), api)
        except OSError as error:
            logger.warning(f"{name} was not added to the collection: {error}")
