"""The package and the logistic regression on one draw of `benchmarks.few_rows`, which starts this process.

The draw is read as JSON from the standard input, and the answers are the last line of the output. Both methods get the
same recipe.
"""

import json
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import numpy as np

from benchmarks.few_works import read_rows
from benchmarks.training_cost import training_cost
from modeling_multitask.evaluation.baseline import linear_probe
from modeling_multitask.inference import encode, predict
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.runs.start import build_model, load_tokenizer
from modeling_multitask.training.label_columns import labels_of_table

Answers = dict[str, list[str]]


def main() -> None:
    """Train, and print the cost and the answers to the held-out rows."""
    given = json.load(sys.stdin)
    folder = Path(given["folder"])
    words = given["words"] | {"data": {"train": given["train"]}}  # so that the cost is without an evaluation
    settings = [f"seed={given['draw']}", f"output_dir={folder}/run", "report=false", "training.disable_tqdm=true"]
    with chdir(folder):
        train = regression if given["method"] == "regression" else defaults
        answering = train(load_recipe(words, [*settings, *given["overrides"]]))
    cost = training_cost(given["started"])
    texts = [row["text"] for row in read_rows(Path(given["held_out"]))]
    print(json.dumps(cost | {"answers": answering(texts)}))


def defaults(recipe: Recipe) -> Callable[[list[str]], Answers]:
    """Train a model, and return the function that answers texts with it."""
    run = run_recipe(recipe)

    def answering(texts: list[str]) -> Answers:
        answers = predict(run.model, texts, tokenizer=run.tokenizer)
        return {task.name: [answer[task.name]["label"] for answer in answers] for task in run.model.config.tasks}

    return answering


def regression(recipe: Recipe) -> Callable[[list[str]], Answers]:
    """Fit a logistic regression for each task on frozen embeddings, and return the function that answers texts."""
    rows, tasks = build_dataset(recipe)
    tokenizer = load_tokenizer(recipe)
    model = build_model(recipe, tasks, tokenizer)
    labels = labels_of_table(rows["train"], model.config.tasks)
    embeddings = encode(model, rows["train"]["text"], tokenizer=tokenizer)

    def fitted(held_out: dict[str, np.ndarray]) -> Answers:
        found: Answers = {}
        for task in model.config.tasks:
            probe = linear_probe(task, labels[task.name].numpy(), embeddings, held_out)
            assert probe is not None
            found |= {task.name: [task.labels[each] for answers in probe.answers.values() for each in answers]}
        return found

    fitted({})  # the cost has the fit, and not the answers
    return lambda texts: fitted({"held out": encode(model, texts, tokenizer=tokenizer)})


if __name__ == "__main__":
    main()
