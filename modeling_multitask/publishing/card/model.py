"""A model's card, rendered from a template. A later card keeps the sections that people have edited."""

import json
import shlex
from typing import Any

from huggingface_hub import ModelCard
from markupsafe import Markup

from ...configuration_multitask import MultiTaskConfig
from ...hub.card_merge import lower_headings, signed
from ...hub.card_settings import CardSettings
from ...hub.markdown import code, fenced
from ...hub.upload import check_repo_id
from ...pipeline_multitask import PIPELINE_TASK
from ...sentence_transformers_multitask import POOLING_KEYS
from ..evidence import Evidence
from ..links import Links
from .answers import conditions, folded_labels, task_lines
from .limits import limits
from .metadata import EXAMPLES, card_metadata
from .results import measured, picture, results
from .training import data_facts, training_facts
from .words import HUB, plain, requirement

__all__ = ["Links", "make_card"]

ANSWERS = "answers.png"  # a picture of the answers to the first example
FROM_EVIDENCE = ("results", "data", "training", "limits")  # sections filled from the files next to a model


def make_card(
    template: str,
    *,
    repo_id: str,
    config: MultiTaskConfig,
    evidence: Evidence,
    links: Links,
    settings: CardSettings,
    revision: str = "main",
) -> str:
    """Return the README of a model's repository, including its metadata.

    Task names, labels, examples and recipe values are escaped. The description and the citation come from the owner.
    The description may contain Markdown. The card shows no text of the data and no folder of this machine.

    Args:
        template: Jinja template with the variables `card_data` and `card`, such as `model_card.md` in this project.
        repo_id: Repository of the model.
        config: Configuration of the model.
        evidence: The files next to the model.
        links: Repositories that the card links to.
        settings: Card settings from the owner.
        revision: Branch that the model is pushed to.

    Raises:
        DataError: If `repo_id` is not a valid repository name.
    """
    check_repo_id(repo_id, "model")
    facts = {
        **_introduction(repo_id, config, evidence, links, settings),
        **_use(repo_id, evidence, links, revision),
        "prompt": config.prompt,
        **_sections(config, evidence, settings),
    }
    data = card_metadata(repo_id, config, evidence, links, settings)
    card = str(ModelCard.from_template(data, template_str=template, card=_as_markdown(facts)))
    # JSON may contain half of a surrogate pair, which is not valid UTF-8.
    return signed(card.encode("utf-8", errors="replace").decode())


def _introduction(
    repo_id: str, config: MultiTaskConfig, evidence: Evidence, links: Links, settings: CardSettings
) -> dict[str, Any]:
    return {
        "title": settings.title or repo_id.split("/")[1],
        "description": Markup(lower_headings(settings.description.strip())) if settings.description else None,
        "width": config.embedding_size,
        "is_sentence_transformer": config.pooling in POOLING_KEYS,
        "links": links.lines(besides="model"),
        "demo": links.space and Markup(f"{HUB}/spaces/{links.space}"),
        "answers_picture": picture(ANSWERS) if ANSWERS in evidence.pictures else None,
    }


def _use(repo_id: str, evidence: Evidence, links: Links, revision: str) -> dict[str, Any]:
    examples = evidence.recipe.get("examples") or EXAMPLES
    return {
        "repo_id": Markup(repo_id),
        "revision": Markup(json.dumps(revision)),
        "pipeline_task": Markup(PIPELINE_TASK),
        "adapter": links.adapter and Markup(links.adapter),
        "exports": evidence.exports,
        "example": examples[0],
        "example_code": Markup(json.dumps(examples[0], ensure_ascii=False)),
        "example_shell": Markup(shlex.quote(examples[0])),
        "requirements": {name.replace("-", "_"): Markup(requirement(name)) for name in _NEEDED},
    }


_NEEDED = ("torch", "transformers", "sentence-transformers", "peft")


def _sections(config: MultiTaskConfig, evidence: Evidence, settings: CardSettings) -> dict[str, Any]:
    given = measured(config.tasks, evidence)
    return {
        "tasks": task_lines(config.tasks),
        "folded": folded_labels(config.tasks),
        "conditions": conditions(config.tasks),
        "results": results(given, evidence),
        "data": data_facts(evidence),
        "training": training_facts(config, evidence),
        "limits": limits(config, given, evidence, settings),
        "license": Markup(code(settings.license)) if settings.license else None,
        "citation": Markup(fenced(settings.citation.strip())) if settings.citation else None,
    }


def _as_markdown(facts: Any) -> Any:
    """Return the facts with every text escaped, except `Markup`."""
    if isinstance(facts, dict):
        return {name: _as_markdown(each) for name, each in facts.items()}
    if isinstance(facts, list):
        return [_as_markdown(each) for each in facts]
    return plain(facts) if isinstance(facts, str) and not isinstance(facts, Markup) else facts
