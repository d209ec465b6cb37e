"""The metadata at the top of a model's card, which the Hub uses to find and show the model."""

from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ...configuration_multitask import HUB_TASK, MultiTaskConfig
from ...evaluation.report_page import IN_WORDS
from ...hub.card_settings import CardSettings
from ...sentence_transformers_multitask import POOLING_KEYS
from ..evidence import Evidence
from ..links import Links
from .results import Measured, measured
from .training import hub_datasets
from .words import hub_model

TAGS = ("multi-task", "sentence-transformers", "sentence-similarity", "feature-extraction")
MOST_EXAMPLES = 10  # in the widget
EXAMPLES = ("The battery died within a day.", "Great soup, and the waiter was kind!")  # if a recipe has none
# The names and arguments of the metrics in https://hf.co/metrics.
METRICS: dict[str, tuple[str, dict[str, Any]]] = {
    "accuracy": ("accuracy", {}),
    "macro_f1": ("f1", {"average": "macro"}),
    "micro_f1": ("f1", {"average": "micro"}),
    "weighted_f1": ("f1", {"average": "weighted"}),
    "average_precision": ("average_precision", {"average": "macro"}),
    "mae": ("mae", {}),
    "rmse": ("rmse", {}),
    "spearman": ("spearmanr", {}),
    "r2": ("r_squared", {}),
    "kappa": ("cohen_kappa", {"weights": "quadratic"}),
    "quadratic_kappa": ("cohen_kappa", {"weights": "quadratic"}),
}


def card_metadata(
    repo_id: str, config: MultiTaskConfig, evidence: Evidence, links: Links, settings: CardSettings
) -> ModelCardData:
    """Return the metadata of a model's card, with its results as `model-index`.

    The keys are defined in https://github.com/huggingface/hub-docs/blob/main/modelcard.md. The newer
    `.eval_results/*.yaml` (https://huggingface.co/docs/hub/eval-results) is not written. Its `dataset.id` must be a
    data set that is registered as a benchmark on the Hub, its `task_id` must be listed in that data set's `eval.yaml`,
    and it has no field for an interval or the number of rows.
    """
    datasets = [links.dataset] if links.dataset else hub_datasets(evidence.recipe)
    results = eval_results(measured(config.tasks, evidence), datasets, _dataset_name(evidence, datasets))
    base = links.base or hub_model(evidence.recipe.get("start_from")) or hub_model(evidence.recipe.get("backbone"))
    return ModelCardData(
        language=settings.language or None,
        license=settings.license,
        library_name="transformers",
        pipeline_tag=HUB_TASK,
        tags=[tag for tag in TAGS if tag != "sentence-transformers" or config.pooling in POOLING_KEYS],
        base_model=base,
        datasets=datasets or None,
        metrics=list(dict.fromkeys(each.metric_type for each in results)) or None,
        # Every task answers each example.
        widget=[{"text": text} for text in (evidence.recipe.get("examples") or EXAMPLES)[:MOST_EXAMPLES]],
        model_name=repo_id.rsplit("/", maxsplit=1)[-1] if results else None,
        eval_results=results or None,
    )


def eval_results(given: Measured | None, datasets: list[str], dataset_name: str) -> list[EvalResult]:
    """Return one result for each task and metric. The metric's arguments include the number of rows and the interval.

    The task is also the `config` of the data set. huggingface_hub merges all results with the same kind of task,
    data set, config, split and revision into one entry, and keeps only the name of the first task
    (https://github.com/huggingface/huggingface_hub/issues/4975).

    Args:
        given: The results.
        datasets: Ids of the data sets that the model was trained on.
        dataset_name: Display name of the data.
    """
    if given is None:
        return []
    return [
        EvalResult(
            task_type=HUB_TASK,
            task_name=name,
            dataset_type=datasets[0] if len(datasets) == 1 else "unknown",
            dataset_name=dataset_name,
            dataset_config=name,
            dataset_split=given.split,
            metric_type=METRICS[figure][0],
            metric_name=IN_WORDS[figure],
            metric_value=round(each["value"], 4),
            metric_args={**METRICS[figure][1], "rows": task["rows"], **_interval(each, given.level)},
        )
        for name, task in given.tasks.items()
        for figure, each in task["figures"].items()
        if figure in METRICS
    ]


def _dataset_name(evidence: Evidence, datasets: list[str]) -> str:
    card = evidence.recipe.get("data", {}).get("card") or {}
    return str(card.get("title") or ", ".join(datasets) or "unknown")


def _interval(figure: dict[str, Any], level: float | None) -> dict[str, Any]:
    if figure["low"] is None or figure["high"] is None:
        return {}
    return {"confidence_level": level, "confidence_interval": [round(figure[name], 4) for name in ("low", "high")]}
