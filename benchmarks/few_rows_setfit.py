"""SetFit on one draw of `benchmarks.few_rows`, which starts this process with the Python of SetFit's environment.

The draw is read as JSON from the standard input, and the answers are the last line of the output. Each task has a model
of its own.
"""

import json
import sys
from pathlib import Path
from typing import Any

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments

from benchmarks.few_works import Row, read_rows
from benchmarks.training_cost import training_cost


def main() -> None:
    """Train the models, and print their cost and their answers to the held-out rows."""
    given = json.load(sys.stdin)
    rows = read_rows(Path(given["train"]))
    models = {task: _trained(task, [row for row in rows if row[task]], given) for task in given["tasks"]}
    cost = training_cost(given["started"])
    texts = [row["text"] for row in read_rows(Path(given["held_out"]))]
    print(json.dumps(cost | {"answers": {task: model.predict(texts).tolist() for task, model in models.items()}}))


def _trained(task: str, rows: list[Row], given: dict[str, Any]) -> SetFitModel:
    model = SetFitModel.from_pretrained(given["backbone"])
    data = Dataset.from_dict({"text": [row["text"] for row in rows], "label": [row[task] for row in rows]})
    folder = f"{given['folder']}/setfit_{task}"
    arguments = TrainingArguments(output_dir=folder, seed=given["draw"], **given["setfit_settings"])
    Trainer(model, arguments, train_dataset=data).train()
    return model


if __name__ == "__main__":
    main()
