"""The rows to evaluate a model on, from a recipe or a table, and training labels that may be wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from datasets import Dataset

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source
from datasets_builder.agreement import AGREEMENT
from datasets_builder.columns import LINE, SOURCE, TABLE
from datasets_builder.formats import READABLE
from datasets_builder.local_path import as_given
from datasets_builder.row_places import row_places
from datasets_builder.short_names import short_names
from datasets_builder.sources import open_tables
from datasets_builder.tables import Table

from .. import TaskConfig
from ..errors import RecipeError
from ..evaluation.judged import row_texts
from ..evaluation.label_issues import LabelIssue, label_issues
from ..evaluation.report import CHOSEN_BY
from ..extras import import_extra
from ..inference import encode
from ..paths_multitask import home_replaced
from ..problem_types_multitask import UNORDERED
from ..recipes.comparison import Change, changed_words
from ..recipes.loading import load_recipe
from ..recipes.recipe import Recipe
from ..recipes.record import recipe_words, recorded_words
from ..recipes.yaml_file import RECIPE_ENDINGS
from ..training.label_columns import labels_of_table
from ..training.sampling import Sampling
from .rows import build_builder, build_dataset, without_what_waits
from .start import build_model, load_start
from .unknown_labels import Unknown, unknown_notes, without_unknown


@dataclass(frozen=True)
class JudgedRows:
    """The rows to evaluate a model on.

    Args:
        rows: The rows, as `MultiTaskBuilder` returns them.
        split: The name of the split or of the table.
        sources: The table of each row. Empty if all rows are from one table.
        notes: Notes about the data.
        unknown: By task and label that the model does not have, the number of rows that have it.
        training: The training rows of the recipe. `None` if the rows are those of a table.
    """

    rows: Dataset
    split: str
    sources: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: Unknown = field(default_factory=dict)
    training: Dataset | None = None


def check_data(data: Path) -> None:
    """Raise a `DataError` if the file does not exist, or is neither a recipe nor a table."""
    if not data.is_file():
        raise DataError(f"{data}: no such file")
    if data.suffix.lower() not in RECIPE_ENDINGS + READABLE:
        raise DataError(f"{data}: must be a recipe ({', '.join(RECIPE_ENDINGS)}) or a table ({', '.join(READABLE)})")


def check_label_issues(data: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe whose training labels are to be checked.

    Raises:
        DataError: If the file is not a recipe.
        RecipeError: If the recipe is invalid, or its training rows are streamed.
        ImportError: If cleanlab is not installed.
    """
    if data.suffix.lower() not in RECIPE_ENDINGS:
        raise DataError(f"{data}: is a table; --label_issues needs a recipe, because it checks its training rows")
    recipe = load_recipe(data, list(overrides))
    if recipe.data.streaming:
        raise RecipeError(recipe.path, ["data.streaming: streamed rows cannot be checked; set data.streaming=false"])
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
    more_labels: Mapping[str, list[str]] | None = None,
) -> JudgedRows:
    """Return the rows of a recipe's test split (or validation split, if there is no test split), or of a whole table.

    Args:
        tasks: The tasks of the model, which define the labels.
        data: A recipe or a table.
        overrides: `key=value` overrides of the recipe.
        model: The model's folder. The recipe must split the training rows as it did for this model.
        texts: The text column of a table, or the two columns of a pair.
        separator: The separator of several labels in one cell of a table.
        more_labels: By task, labels that the model does not have, but another model does. A row with such a label has
            no label for the model, and is counted.

    Raises:
        RecipeError: If the recipe is invalid, or its tasks do not match the model's.
        DataError: If a table is invalid, or has labels that the model does not have.
    """
    check_data(data)
    known = {task.name: _known(task, (more_labels or {}).get(task.name, [])) for task in tasks}
    if data.suffix.lower() in RECIPE_ENDINGS:
        recipe = load_recipe(data, list(overrides))
        _check_split(recipe, model)
        found = _of_recipe(tasks, recipe, known)
    else:
        found = _of_table(tasks, data, texts, separator, known)
    judged, unknown = without_unknown(found.rows, tasks, more_labels or {})
    return replace(found, rows=judged, notes=[*found.notes, *unknown_notes(unknown)], unknown=unknown)


def check_other_split(data: Path, overrides: Sequence[str], other: str) -> None:
    """Raise a `RecipeError` if rows that the recipe holds out may be training rows of another model.

    Args:
        data: A recipe or a table. The rows of a table are not checked.
        overrides: `key=value` overrides of the recipe.
        other: The folder of the other model.
    """
    if data.suffix.lower() not in RECIPE_ENDINGS:
        return
    recipe = load_recipe(data, list(overrides))
    problems = [
        f"{word}: is {new!r}; {other} was trained with {old!r}, so the held-out rows may be among its training rows; "
        "compare the models on a table that neither was trained on"
        for word, (old, new) in _split_changes(recipe, other).items()
    ]
    if problems:
        raise RecipeError(recipe.path, problems)


def issues_of_labels(recipe: Recipe) -> list[LabelIssue]:
    """Return an estimate of the quality of each training label, the most suspicious labels of each task first.

    The embeddings are those of the recipe's backbone before training, because a model trained on wrong labels
    reproduces them.

    Args:
        recipe: A recipe that `check_label_issues` accepts.

    Raises:
        RecipeError: If the encoder cannot be loaded.
        DataError: If a table is invalid.
        ImportError: If cleanlab or scikit-learn is not installed.
    """
    trained, tokenizer = load_start(recipe)
    dataset, tasks = build_dataset(recipe, trained)
    model = build_model(replace(recipe, lora=None), tasks, tokenizer, trained)
    rows: Any = dataset["train"]
    texts = row_texts(rows)
    labels = labels_of_table(rows, model.config.tasks)
    embeddings = encode(model, texts, tokenizer=tokenizer, show_progress=True)
    places = row_places(rows)
    return [
        issue._replace(**places[issue.row]._asdict())
        for task in tasks
        for issue in label_issues(task, embeddings, labels[task.name].numpy(), texts)
    ]


def _check_split(recipe: Recipe, model: str | None) -> None:
    """Raise a `RecipeError` if the training rows of the model would be split differently."""
    problems = [
        f"{word}: is {new!r}; the model was trained with {old!r}, and another split would evaluate the model on "
        f"its training rows; use the same value: {word}={json.dumps(old)}"
        for word, (old, new) in _split_changes(recipe, model).items()
    ]
    if problems:
        raise RecipeError(recipe.path, problems)


def _split_changes(recipe: Recipe, model: str | None) -> dict[str, Change]:
    """Return the words of the split that differ from those of the model, if the training rows are the same."""
    record = Path(home_replaced(model or "")).parent / "recipe.json"
    if model is None or not record.is_file():
        return {}
    before, now = recorded_words(json.loads(record.read_text(encoding="utf-8"))), recipe_words(recipe)
    if before["data"]["train"] != now["data"]["train"] or not any(now["data"]["split"].values()):
        return {}
    return changed_words(_split_words(before), _split_words(now))


def _split_words(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the words that determine which rows are held out."""
    tasks = [task["name"] for task in recipe["tasks"]]
    return {"seed": recipe["seed"], "data.split": recipe["data"]["split"], "tasks": tasks}


def _of_table(
    tasks: list[TaskConfig], path: Path, texts: tuple[str, ...], separator: str, known: dict[str, dict[str, Any]]
) -> JudgedRows:
    tables = open_tables(Source(as_given(path)))
    columns = [name for table in tables for name in table.columns]
    there = [task for task in tasks if task.name in columns]
    # A task whose column is empty is not evaluated, as one without a column.
    there = [task for task in there if _is_filled(tables, task.name)] or there
    if not there:
        raise DataError(
            f"{path}: no column has the name of a task; columns: {_listed(columns)}; "
            f"tasks of the model: {_listed([task.name for task in tasks])}"
        )
    source = Source(
        as_given(path),
        list(texts) if len(texts) > 1 else texts[0],
        {each.name: _column(each, separator) for each in there},
    )
    with_place = not {TABLE, LINE} & {each.name for each in there}  # old models may have tasks of these names
    builder = MultiTaskBuilder(tasks=[known[each.name] for each in there], train=[source], with_place=with_place)
    builder.download_and_prepare()
    return JudgedRows(
        builder.as_dataset()["train"],
        PurePath(str(path)).name,
        notes=[note.removeprefix("train: ") for note in builder.notes],
    )


def _is_filled(tables: list[Table], column: str) -> bool:
    """Return whether any row has a value in a column."""
    chunks = (
        chunk[column].to_pylist() for table in tables if column in table.columns for chunk in table.read([column])
    )
    return any(value is not None and str(value).strip() for values in chunks for value in values)


def _of_recipe(tasks: list[TaskConfig], recipe: Recipe, known: dict[str, dict[str, Any]]) -> JudgedRows:
    types = {task.name: task.problem_type for task in tasks}
    problems = [
        f"tasks[{i}].problem_type: is {task.problem_type}; in the model it is {types[task.name]}"
        for i, task in enumerate(recipe.tasks)
        if task.name in types and task.problem_type != types[task.name]
    ]
    if not any(task.name in known for task in recipe.tasks):
        problems.append(
            f"tasks: are {_listed([task.name for task in recipe.tasks])}; "
            f"none of them is a task of the model ({_listed(list(known))})"
        )
    if problems:
        raise RecipeError(recipe.path, problems)
    # All tasks of the recipe, because the split is stratified by their labels. "proportional" adds the source column.
    settings = [
        {**known[task.name], **{word: getattr(task, word) for word in ("aliases", "missing", "none", "blank")}}
        if task.name in known
        else without_what_waits(task)
        for task in recipe.tasks
    ]
    recipe = replace(recipe, sampling=Sampling("proportional"))
    builder = build_builder(recipe, settings)
    split = next((name for name in ("test", "validation") if name in builder.prepared_splits), None)
    if split is None and recipe.data.split.in_turn:
        what = (
            "there is no test split, because each fold is the test split once; the run has written the report on all "
            "folds; to evaluate the model in folds/1/model, set data.split.fold=1"
        )
        raise RecipeError(recipe.path, [f"data.split.folds: {what}"])
    if split is None:
        raise RecipeError(recipe.path, ["data: has no test or validation rows; all rows were used for training"])
    builder.download_and_prepare()
    dataset = builder.as_dataset()
    rows = dataset[split]
    sources = builder.sources.get(split, builder.sources["train"])  # held-out rows come from the training tables
    return JudgedRows(
        rows,
        split,
        _sources(rows, [each.source.name for each in sources]),
        [each for each in builder.notes if split in each or AGREEMENT in each]
        + ([CHOSEN_BY] if split == "validation" else []),
        training=dataset["train"],
    )


def _sources(rows: Dataset, paths: list[str]) -> list[str]:
    if len(paths) < 2:
        return []
    different = list(dict.fromkeys(paths))
    names = dict(zip(different, short_names(different), strict=True))
    return [names[paths[i]] for i in rows[SOURCE]]


def _known(task: TaskConfig, more: list[str]) -> dict[str, Any]:
    """Return the settings of a task for reading a table, with the labels of the model and more labels after them."""
    if task.labels is None:
        return {"name": task.name, "problem_type": task.problem_type}
    # A binary task has two labels.
    problem_type = UNORDERED if more and task.kind.one_label else task.problem_type
    return {"name": task.name, "problem_type": problem_type, "labels": [*task.labels, *more]}


def _column(task: TaskConfig, separator: str) -> LabelColumn:
    several = task.kind.several_labels
    return LabelColumn(task.name, separator=separator if several else None)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
