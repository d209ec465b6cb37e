"""What lies beside a trained model, and is evidence of how it was made and how good it is."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..hub.card_settings import CardSettings
from ..inference.graphs import GRAPHS

_PICTURES = ("confusion_*.png", "scatter_*.png", "reliability_*.png")


@dataclass(frozen=True)
class Evidence:
    """What is known of a model besides the model itself; what is not there is empty.

    Args:
        recipe: Its words, as `recipe.json` has them.
        results: By split, what `results.json` says of each task.
        calibration: By task, what was fitted.
        training: What its training took; see `modeling_multitask.runs.records`.
        report: What `report.json` says; see `evaluation.report.as_json`.
        pictures: Where each picture lies, by the name that it has in the repository's folder `pictures`.
        exports: The folders within the model's that hold it as a graph: `onnx`, `openvino`.
    """

    recipe: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Path] = field(default_factory=dict)
    exports: tuple[str, ...] = ()

    @property
    def settings(self) -> CardSettings:
        """What the recipe's `card` says."""
        return CardSettings(**self.recipe.get("card", {}))


def read_evidence(model_folder: Path) -> Evidence:
    """Reads what a run, and a report, have left beside the model; a model that lies alone has none.

    Args:
        model_folder: The model; beside it means in the folder that it lies in.

    Raises:
        ValueError: If a file is there and cannot be read.
    """
    run = model_folder.resolve().parent
    report = run / "report"
    return Evidence(
        recipe=_read(run / "recipe.json"),
        results=_read(run / "results.json"),
        calibration=_read(run / "calibration.json"),
        training=_read(run / "training.json"),
        report=_read(report / "report.json"),
        pictures={path.name: path for pattern in _PICTURES for path in sorted(report.glob(pattern))},
        exports=tuple(name for name, graph in GRAPHS.items() if (model_folder / name / graph).is_file()),
    )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as JSON ({error}); take it away, or write it anew") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no JSON object but {type(content).__name__}; take it away, or write it anew")
    return content
