"""The files of a push and their targets, checked before anything is uploaded."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..configuration_multitask import MultiTaskConfig
from ..hub.card_settings import CardSettings
from ..hub.upload import Target
from ..inference.loading import load
from .card.model import EXAMPLES
from .evidence import Evidence, read_evidence
from .fresh_load import fresh_adapter_problem, fresh_load_problem
from .inspection import adapter_problems, folder_problems
from .links import Links, base_repo_id

ADAPTER_CONFIG = "adapter_config.json"
TEXTS = (*EXAMPLES, "x")


class ShipmentError(ValueError):
    """A model that cannot be pushed, with all its problems."""


@dataclass(frozen=True)
class Shipment:
    """The files of a push and their targets.

    Args:
        model: Folder of the model. `None` if only its adapter is pushed.
        target: Target of the model.
        config: Configuration of the model.
        evidence: Records of training and evaluation.
        template: Template of the card.
        settings: Card settings from the owner.
        dataset: Data set that the model was trained on. It must already be on the Hub.
        space: Repository of the demo, if it is pushed.
        adapter: Repository of the adapter, if it is pushed. Its base model goes to the same name with `-base`.
        adapter_folder: Folder of the adapter.
    """

    model: Path | None
    target: Target
    config: MultiTaskConfig
    evidence: Evidence
    template: str
    settings: CardSettings = field(default_factory=CardSettings)
    dataset: str | None = None
    space: str | None = None
    adapter: str | None = None
    adapter_folder: Path | None = None

    @property
    def title(self) -> str:
        """Return the display name."""
        return self.settings.title or self.target.repo_id.rpartition("/")[2]

    @property
    def items(self) -> list[tuple[str, str]]:
        """Return the kind and the name of every repository, including the data set."""
        named = [
            ("model", self.target.repo_id if self.model else None),
            ("model", self.adapter),
            ("model", base_repo_id(self.adapter) if self.adapter else None),
            ("dataset", self.dataset),
            ("space", self.space),
        ]
        return [(kind, name) for kind, name in named if name is not None]

    def links(self, collection: str | None = None) -> Links:
        """Return the repositories that the cards link to."""
        return Links(
            model=self.target.repo_id if self.model else None,
            dataset=self.dataset,
            space=self.space,
            adapter=self.adapter,
            collection=collection,
        )


def make_shipment(
    folder: Path,
    target: Target,
    *,
    template: str,
    license: str | None = None,  # noqa: A002  (as the Hub calls it)
    dataset: str | None = None,
    space: str | None = None,
    adapter: str | None = None,
) -> Shipment:
    """Return a shipment after checking its files and loading them in a process without this package.

    Args:
        folder: Folder of a model, or of an adapter to push alone.
        target: Target of the model or adapter.
        template: Template of the card.
        license: License identifier of the Hub. By default that of the recipe's card.
        dataset: Data set that the model was trained on.
        space: Repository of the demo, if it is pushed.
        adapter: Repository of the adapter next to the model, if it is pushed.

    Raises:
        ShipmentError: If there are problems that prevent the push.
        ValueError: If a record next to the model is not valid.
    """
    alone = (folder / ADAPTER_CONFIG).is_file()
    if alone and (space or adapter):
        raise ShipmentError(f"{folder} is an adapter; push its model to add a Space or an adapter")
    adapter = target.repo_id if alone else adapter
    adapter_folder = folder if alone else folder.parent / "adapter"
    if adapter is not None and not (adapter_folder / ADAPTER_CONFIG).is_file():
        raise ShipmentError(f"{adapter_folder}: no adapter found; train with lora: {{keep_adapter: true}}")
    evidence = read_evidence(folder)
    settings = replace(evidence.settings, license=license) if license else evidence.settings
    if not settings.license:
        raise ShipmentError(
            "the licence is missing; add --license, such as --license apache-2.0, or set it in the recipe's card"
        )
    if adapter is not None:
        _check_adapter(adapter_folder, target, adapter, alone=alone)
    whole = adapter_folder / "base" if alone else folder
    check(whole, [*evidence.recipe.get("examples", ()), *TEXTS])
    return Shipment(
        model=None if alone else folder,
        target=target,
        config=MultiTaskConfig.from_pretrained(whole),
        evidence=evidence,
        template=template,
        settings=settings,
        dataset=dataset,
        space=space,
        adapter=adapter,
        adapter_folder=adapter_folder if adapter else None,
    )


def _check_adapter(folder: Path, target: Target, adapter: str, *, alone: bool) -> None:
    """Check an adapter and its base model."""
    if target.revision or target.create_pr:
        raise ShipmentError(
            "an adapter must be pushed to main, because its card says so; remove --revision and --create_pr"
        )
    if not alone and target.repo_id in (adapter, base_repo_id(adapter)):
        raise ShipmentError(
            f"{adapter} and {base_repo_id(adapter)} are used by the adapter; choose another name for the model"
        )
    # The path of the base model in the adapter is rewritten later. The files in `base` are checked as a model.
    own = [each for each in adapter_problems(folder) if not each.startswith(f"{ADAPTER_CONFIG}: contains a path")]
    refuse(folder, [*own, *(f"base/{each}" for each in folder_problems(folder / "base"))])
    if problem := fresh_adapter_problem(folder, list(TEXTS)):
        refuse(folder, [problem])


def check(folder: Path, texts: Sequence[str]) -> None:
    """Check the files of a model, then load them in a process without this package.

    Args:
        folder: Folder of the model.
        texts: Texts for the comparison. The first three are used.

    Raises:
        ShipmentError: If there are problems that prevent the push.
    """
    refuse(folder, folder_problems(folder))
    model, tokenizer = load(str(folder))
    problem = fresh_load_problem(folder, model.cpu().float(), tokenizer, list(texts[:3]))
    refuse(folder, [problem] if problem else [])


def refuse(what: Path | str, problems: list[str]) -> None:
    """Raise a `ShipmentError` with all problems, if there are any."""
    if problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ShipmentError("\n  ".join([f"{what} has {count}:", *problems]))
