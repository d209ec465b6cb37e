"""What is pushed and where: put together, looked at and tried before anything is sent."""

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
    """A model that is not to be pushed, with all that speaks against it."""


@dataclass(frozen=True)
class Shipment:
    """What is pushed, and where.

    Args:
        model: Folder of the model; `None` if only its adapter is pushed.
        target: Where the model goes.
        config: The model's.
        evidence: What lies beside it.
        template: Of the card.
        settings: What only its owner knows.
        dataset: The data set that it was trained on, which is on the Hub already.
        space: Where the demo goes, if anywhere.
        adapter: Where the adapter goes, if anywhere; what it sits on goes to a repository of that name with `-base`.
        adapter_folder: Of the adapter.
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
        """For people."""
        return self.settings.title or self.target.repo_id.rpartition("/")[2]

    @property
    def items(self) -> list[tuple[str, str]]:
        """The kind and the name of every repository that belongs to it, the data set among them."""
        named = [
            ("model", self.target.repo_id if self.model else None),
            ("model", self.adapter),
            ("model", base_repo_id(self.adapter) if self.adapter else None),
            ("dataset", self.dataset),
            ("space", self.space),
        ]
        return [(kind, name) for kind, name in named if name is not None]

    def links(self, collection: str | None = None) -> Links:
        """What the cards point to."""
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
    """What is to be pushed, looked at, and tried in a process without this package.

    Args:
        folder: Of a model, or of an adapter, which is then pushed alone.
        target: Where it goes.
        template: Of the card.
        license: As the Hub writes it; left out, the recipe's card says it.
        dataset: The data set that the model was trained on.
        space: Where the demo goes, if anywhere.
        adapter: Where the adapter beside the model goes, if anywhere.

    Raises:
        ShipmentError: If something speaks against it.
        ValueError: If what lies beside the model cannot be read.
    """
    alone = (folder / ADAPTER_CONFIG).is_file()
    if alone and (space or adapter):
        raise ShipmentError(f"{folder} is an adapter; a Space, and an adapter beside it, go with its model")
    adapter = target.repo_id if alone else adapter
    adapter_folder = folder if alone else folder.parent / "adapter"
    if adapter is not None and not (adapter_folder / ADAPTER_CONFIG).is_file():
        raise ShipmentError(f"{adapter_folder}: there is no adapter; train with lora: {{keep_adapter: true}}")
    evidence = read_evidence(folder)
    settings = replace(evidence.settings, license=license) if license else evidence.settings
    if not settings.license:
        raise ShipmentError(
            "no licence is stated; add --license apache-2.0, or another, or let the recipe's card say it"
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
    """Looks at an adapter, and at the model that it sits on."""
    if target.revision or target.create_pr:
        raise ShipmentError("an adapter goes to main, where its card says that it is; leave the branch out")
    if not alone and target.repo_id in (adapter, base_repo_id(adapter)):
        raise ShipmentError(f"{adapter} and {base_repo_id(adapter)} are for the adapter; the model needs another name")
    # What names the base by a path of this machine is written anew; what lies in the base is looked at as a model.
    own = [each for each in adapter_problems(folder) if not each.startswith(f"{ADAPTER_CONFIG}: names a path")]
    refuse(folder, [*own, *(f"base/{each}" for each in folder_problems(folder / "base"))])
    if problem := fresh_adapter_problem(folder, list(TEXTS)):
        refuse(folder, [problem])


def check(folder: Path, texts: Sequence[str]) -> None:
    """Looks at the files of a model, then loads them as a stranger would.

    Args:
        folder: Of the model.
        texts: The first three are answered.

    Raises:
        ShipmentError: If something speaks against pushing it.
    """
    refuse(folder, folder_problems(folder))
    model, tokenizer = load(str(folder))
    problem = fresh_load_problem(folder, model.cpu().float(), tokenizer, list(texts[:3]))
    refuse(folder, [problem] if problem else [])


def refuse(what: Path | str, problems: list[str]) -> None:
    """Raises a `ShipmentError` with all problems, if there are any."""
    if problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ShipmentError("\n  ".join([f"{what} has {count}:", *problems]))
