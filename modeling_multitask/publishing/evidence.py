"""The files next to a trained model that record its training and its results."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..hub.card_settings import CardSettings
from ..inference.graphs import GRAPHS

_PICTURES = ("confusion_*.png", "scatter_*.png", "reliability_*.png")


@dataclass(frozen=True)
class Evidence:
    """The records of a model's training and evaluation. A missing file is an empty field.

    Args:
        recipe: Recipe words from `recipe.json`.
        results: Results of each task from `results.json`, by split.
        calibration: Fitted calibration, by task.
        training: Time, hardware and energy of the training, see `modeling_multitask.runs.records`.
        report: Content of `report.json`, see `evaluation.report.report_as_json`.
        pictures: Path of each picture, by its name in the repository's folder `pictures`.
        exports: Folders in the model's folder that contain it as a graph: `onnx`, `openvino`.
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
        """Return the settings from the recipe's `card`."""
        return CardSettings(**self.recipe.get("card", {}))


def read_evidence(model_folder: Path) -> Evidence:
    """Read the records of a run and of a report next to the model. They are empty for a model without a run.

    Args:
        model_folder: Folder of the model. The records are in its parent folder.

    Raises:
        ValueError: If a file exists but is not valid.
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
        raise ValueError(f"{path} is not valid JSON ({error}); remove it or write it again") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} must contain a JSON object, not {type(content).__name__}; remove it or write it again"
        )
    return content
