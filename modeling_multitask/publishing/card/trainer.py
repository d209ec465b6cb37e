"""The card of a model that a Trainer pushes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ...hub.card_settings import CardSettings
from ...shipped import shipped
from ..evidence import Evidence, read_evidence
from ..links import Links
from .model import make_card

OWNER = "your-name"  # in the card of a model that has no repository


def trainer_card(
    trainer: Any,
    *,
    run: Path | None = None,
    settings: CardSettings | None = None,
    license: str | None = None,  # noqa: A002  (as transformers calls it)
    language: str | list[str] | None = None,
    **others: Any,
) -> str:
    """Return the card of the model of a `MultiTaskTrainer`, to pass as its `create_card`.

    Args:
        trainer: The trainer.
        run: The folder of the run of a recipe. Its results become part of the card. By default there are none.
        settings: The settings of the card.
        license: The licence, instead of that of the settings.
        language: The language or languages, instead of those of the settings.
        others: `tags` and `model_name` as `Trainer.push_to_hub` adds them by itself. Other arguments of a card of
            transformers are refused.

    Raises:
        ValueError: If an argument is not used in the card.

    Example:
        >>> from modeling_multitask.publishing import trainer_card
        >>> trainer = MultiTaskTrainer(model=model, args=args, create_card=trainer_card, processing_class=tokenizer)
        >>> trainer.push_to_hub(license="apache-2.0")
    """
    if unused := [name for name, given in others.items() if given and not _is_added(trainer, name, given)]:
        raise ValueError(f"{unused[0]} is not used in the card; leave it out, and add it to the README.md by hand")
    settings = settings or CardSettings()
    if license is not None:
        settings = replace(settings, license=license)
    if language is not None:
        settings = replace(settings, language=[language] if isinstance(language, str) else language)
    # The Trainer pushes neither the pictures of the report nor exports.
    evidence = Evidence() if run is None else replace(read_evidence(run / "model"), pictures={}, exports=())
    repo_id = _repo_id(trainer, run)
    return make_card(
        shipped("model_card.md").read_text(encoding="utf-8"),
        repo_id=repo_id,
        config=trainer.model.config,
        evidence=evidence,
        links=Links(model=repo_id),
        settings=settings,
        revision=trainer.args.hub_revision or "main",
    )


def _repo_id(trainer: Any, run: Path | None) -> str:
    folder = Path(trainer.args.output_dir) if run is None else run
    name = trainer.hub_model_id or trainer.args.hub_model_id or folder.resolve().name
    return name if "/" in name else f"{OWNER}/{name}"


def _is_added(trainer: Any, name: str, given: Any) -> bool:
    """Return whether `Trainer.push_to_hub` adds an argument by itself."""
    if name == "tags":
        return ({given} if isinstance(given, str) else set(given)) <= set(trainer.model.model_tags or ())
    hub_id, folder = trainer.args.hub_model_id or "", Path(trainer.args.output_dir).name
    return name == "model_name" and given in (hub_id.split("/")[-1], folder)
