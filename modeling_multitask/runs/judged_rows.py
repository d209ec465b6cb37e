"""The rows that a model is reported on, from a recipe or a table, and the labels of a recipe that may be wrong."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from datasets import Dataset

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source
from datasets_builder.columns import SOURCE
from datasets_builder.formats import READABLE
from datasets_builder.sources import open_tables

from .. import TaskConfig
from ..errors import RecipeError
from ..evaluation.judged import row_texts
from ..evaluation.label_issues import LabelIssue, label_issues
from ..evaluation.report import CHOSEN_BY
from ..extras import import_extra
from ..inference import encode
from ..recipes.comparison import changed_words
from ..recipes.loading import load_recipe
from ..recipes.recipe import Recipe
from ..recipes.record import recipe_words, recorded_words
from ..recipes.yaml_file import RECIPE_ENDINGS
from ..training.collator import MultiTaskCollator
from ..training.sampling import Sampling
from .prepare import build_model, load_start
from .rows import build_builder, build_dataset, without_what_waits


@dataclass(frozen=True)
class JudgedRows:
    """What a model is held against.

    Args:
        rows: As `MultiTaskBuilder` gives them.
        split: What they are.
        sources: The name of the table that each comes from; empty if it is one table.
        notes: What was found on the way.
    """

    rows: Dataset
    split: str
    sources: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_data(data: Path) -> None:
    """Raises a `DataError` if there is no such file, or it is neither a recipe nor a table."""
    if not data.is_file():
        raise DataError(f"{data}: no such file")
    if data.suffix.lower() not in RECIPE_ENDINGS + READABLE:
        raise DataError(f"{data}: neither a recipe ({', '.join(RECIPE_ENDINGS)}) nor a table ({', '.join(READABLE)})")


def check_label_issues(data: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in whose training rows issues of labels are sought.

    Raises:
        DataError: If the file is no recipe.
        RecipeError: If it cannot be read, or its training rows are streamed.
        ImportError: If cleanlab is not installed.
    """
    if data.suffix.lower() not in RECIPE_ENDINGS:
        raise DataError(f"{data}: issues of labels are sought in the training rows of a recipe, and this is a table")
    recipe = load_recipe(data, list(overrides))
    if recipe.data.streaming:
        raise RecipeError(recipe.path, ["data.streaming: rows that are streamed are never looked at as a whole"])
    import_extra("cleanlab.rank", extra="errors")
    return recipe


def rows_to_judge(
    tasks: list[TaskConfig],
    data: Path,
    *,
    overrides: Sequence[str] = (),
    model: str | None = None,
    texts: tuple[str, ...] = ("text",),
    separator: str = ";",
) -> JudgedRows:
    """The rows of a recipe's test split (of validation, if it has no test), or all of a table.

    Args:
        tasks: The model's; their labels are those that count.
        data: A recipe, or a table.
        overrides: Of the recipe, `key=value` each.
        model: Where the model is; its rows are split again only as they were when it was trained.
        texts: Of a table the column of the text, or both of a pair.
        separator: What stands between several labels in a cell of a table.

    Raises:
        RecipeError: If the recipe cannot be read, or its tasks are others than the model's.
        DataError: If a table cannot be used, or has labels that the model does not know.
    """
    check_data(data)
    if data.suffix.lower() in RECIPE_ENDINGS:
        recipe = load_recipe(data, list(overrides))
        _check_split(recipe, model)
        return _of_recipe(tasks, recipe)
    return _of_table(tasks, data, texts, separator)


def issues_of_labels(recipe: Recipe) -> list[LabelIssue]:
    """How far to believe each label of the recipe's training rows, the most suspicious of each task first.

    They are judged by the encoder that the recipe starts from: one that was trained on them would find them right.

    Args:
        recipe: As `check_label_issues` lets it pass.

    Raises:
        RecipeError: If the encoder cannot be had.
        DataError: If a table cannot be used.
        ImportError: If cleanlab or scikit-learn is not installed.
    """
    trained, tokenizer = load_start(recipe)
    dataset, tasks = build_dataset(recipe, trained)
    model = build_model(replace(recipe, lora=None), tasks, trained)
    rows: Any = dataset["train"]
    texts = row_texts(rows)
    names = [task.name for task in tasks]
    labels = MultiTaskCollator(tokenizer, model.config).labels_of(rows.select_columns(names).to_list())
    embeddings = encode(model, texts, tokenizer=tokenizer, show_progress=True)
    return [issue for task in tasks for issue in label_issues(task, embeddings, labels[task.name].numpy(), texts)]


def _check_split(recipe: Recipe, model: str | None) -> None:
    """Raises a `RecipeError` if the rows that the model was trained on would be split in another way."""
    record = Path(model or "").parent / "recipe.json"
    if model is None or not record.is_file():
        return
    before, now = recorded_words(json.loads(record.read_text(encoding="utf-8"))), recipe_words(recipe)
    if before["data"]["train"] != now["data"]["train"] or not any(now["data"]["split"].values()):
        return
    words = changed_words(_split_words(before), _split_words(now))
    problems = [
        f"{word}: was {old!r} when the model was trained; given: {new!r}, which splits its rows anew, so that rows it "
        f"was trained on would be judged; say it as then, such as {word}={json.dumps(old)}"
        for word, (old, new) in words.items()
    ]
    if problems:
        raise RecipeError(recipe.path, problems)


def _split_words(recipe: dict[str, Any]) -> dict[str, Any]:
    """The words on which it depends which rows are held out."""
    tasks = [task["name"] for task in recipe["tasks"]]
    return {"seed": recipe["seed"], "data.split": recipe["data"]["split"], "tasks": tasks}


def _of_table(tasks: list[TaskConfig], path: Path, texts: tuple[str, ...], separator: str) -> JudgedRows:
    columns = [name for table in open_tables(Source(str(path))) for name in table.columns]
    there = [task for task in tasks if task.name in columns]
    if not there:
        raise DataError(
            f"{path}: no column is named like a task; its columns are {_listed(columns)}, "
            f"the model's tasks {_listed([task.name for task in tasks])}"
        )
    source = Source(
        str(path), list(texts) if len(texts) > 1 else texts[0], {each.name: _column(each, separator) for each in there}
    )
    builder = MultiTaskBuilder(tasks=[_known(each) for each in there], train=[source])
    builder.download_and_prepare()
    return JudgedRows(
        builder.as_dataset()["train"], path.name, notes=[note.removeprefix("train: ") for note in builder.notes]
    )


def _of_recipe(tasks: list[TaskConfig], recipe: Recipe) -> JudgedRows:
    known = {task.name: task for task in tasks}
    problems = [
        f"tasks[{i}].problem_type: the model answers {task.name!r} as {known[task.name].problem_type}"
        for i, task in enumerate(recipe.tasks)
        if task.name in known and task.problem_type != known[task.name].problem_type
    ]
    if not any(task.name in known for task in recipe.tasks):
        problems.append(
            f"tasks: none is the model's; they are {_listed([task.name for task in recipe.tasks])}, "
            f"the model's {_listed(list(known))}"
        )
    if problems:
        raise RecipeError(recipe.path, problems)
    # All of the recipe's tasks, for by their labels rows are split; a strategy by which rows say their source.
    settings = [
        {**_known(known[task.name]), "aliases": task.aliases, "missing": task.missing}
        if task.name in known
        else without_what_waits(task)
        for task in recipe.tasks
    ]
    recipe = replace(recipe, sampling=Sampling("proportional"))
    builder = build_builder(recipe, settings)
    split = next((name for name in ("test", "validation") if name in builder.prepared_splits), None)
    if split is None:
        raise RecipeError(recipe.path, ["data: has neither test nor validation rows, so that all were trained on"])
    builder.download_and_prepare()
    rows = builder.as_dataset()[split]
    sources = builder.sources.get(split, builder.sources["train"])  # rows that are held out are of the training tables
    return JudgedRows(
        rows,
        split,
        _sources(rows, [each.source.name for each in sources]),
        [each for each in builder.notes if split in each] + ([CHOSEN_BY] if split == "validation" else []),
    )


def _sources(rows: Dataset, paths: list[str]) -> list[str]:
    if len(paths) < 2:
        return []
    names = [Path(each).name for each in paths]
    names = names if len(set(names)) == len(names) else paths
    return [names[i] for i in rows[SOURCE]]


def _known(task: TaskConfig) -> dict[str, Any]:
    """What a table must know of a task: its labels are the model's, whatever occurs."""
    labels = {} if task.labels is None else {"labels": task.labels}
    return {"name": task.name, "problem_type": task.problem_type, **labels}


def _column(task: TaskConfig, separator: str) -> LabelColumn:
    several = task.kind.several_labels
    return LabelColumn(task.name, separator=separator if several else None)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
