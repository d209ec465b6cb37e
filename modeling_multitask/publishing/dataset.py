"""A data set as a Hub repository: Parquet files that `load_dataset` reads without remote code, and a card."""

import math
import os
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from datasets import Dataset
from huggingface_hub import CommitOperationAdd, DatasetCardData, HfApi

from datasets_builder.builder import MultiTaskBuilder
from datasets_builder.columns import LINE, SOURCE, TABLE, distribution_column, votes_column
from datasets_builder.join import Join
from datasets_builder.long_votes import LongVotes
from datasets_builder.look import Look, describe
from datasets_builder.settings import MultiTaskBuilderConfig
from datasets_builder.source import JoinedText, LabelColumn, Source
from datasets_builder.tasks import TABLE_SETTINGS

from ..errors import DataError
from ..hub.card_merge import lower_headings, merge_cards, signed
from ..hub.card_settings import CardSettings
from ..hub.markdown import code, escape_markdown, fenced
from ..hub.upload import CARD, Pushed, Target, check_repo_id, look, patiently, push_folder
from ..tasks_multitask import TaskConfig

SHARD_BYTES = 500_000_000
SCRIPT = "build_dataset.py"
BUILDER_SETTINGS = ("tasks", "train", "validation", "test", "split", "hide_labels", "contradictions", "leaks")
_MODELS = "## Models trained on it"
_BARE = "---\ntags:\n- multi-task\n---\n"  # for a repository without a card: the Hub warns about missing metadata
OWNED = ("data/*.parquet",)  # files of an earlier push that this push does not contain
TASK_SETTINGS = ("name", "problem_type", "labels", *TABLE_SETTINGS)


def write_repository(
    folder: Path,
    repo_id: str,
    builder: MultiTaskBuilder,
    look: Look,
    card: CardSettings,
    recipe: Path | None = None,
    overrides: Sequence[str] = (),
) -> None:
    """Write the content of a repository: the rows, a card, and the script that built them.

    Args:
        folder: Empty output folder.
        repo_id: Repository on the Hub.
        builder: Builder that has built the data set.
        look: Statistics of the data set.
        card: Card settings from the owner.
        recipe: Recipe of the data set. It is copied into the repository.
        overrides: Overrides of the recipe as `key=value`. They are noted at the top of the copied recipe.
    """
    for name, rows in builder.as_dataset().items():
        _write_shards(_public(rows, builder), folder / "data", name)
    files = {"README.md": render_card(repo_id, builder, look, card, with_recipe=recipe is not None)}
    files[SCRIPT] = render_script(builder, Path.cwd() if recipe is None else recipe.parent.resolve())
    if recipe is not None:
        noted = f"# Built with {' '.join(overrides)}\n" if overrides else ""
        files["recipe.yaml"] = noted + recipe.read_text(encoding="utf-8")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def check_dataset_id(repo_id: str) -> None:
    """Raise a `DataError` if the name is not a valid data set name on the Hub, or has no owner."""
    check_repo_id(repo_id)
    if repo_id.endswith(f"/{Path(SCRIPT).stem}"):
        # datasets treats a script with the name of its repository as a loading script and refuses to run it.
        raise DataError(f"{repo_id!r} has the same name as its {SCRIPT}; datasets cannot load it; choose another name")


def push_dataset(api: HfApi, folder: Path, target: Target) -> Pushed:
    """Push a folder from `write_repository`, and delete the rows of an earlier push.

    Raises:
        OSError: If the Hub is not reachable or refuses the push.
    """
    return push_folder(api, folder, target, owned=OWNED, message="Add the multi-task data set", merge_cards=merge_cards)


def link_model(api: HfApi, dataset: str, model: str) -> bool:
    """Add a link to a model to the card of its data set, with one commit. Return whether the link is new.

    Raises:
        OSError: If the Hub is not reachable or refuses the commit.
    """

    def attempt() -> bool:
        there = look(api, Target(dataset, "dataset"))
        card = there and with_model(there.card or _BARE, model)
        if there is None or card == there.card:
            return False
        api.create_commit(
            dataset,
            [CommitOperationAdd(CARD, str(card).encode())],
            repo_type="dataset",
            parent_commit=there.commit,
            commit_message=f"Link {model}",
        )
        return True

    return bool(patiently(attempt, api))


def with_model(card: str, model: str) -> str:
    """Return a data set's card with a link to a model, in a section that people may edit."""
    line = f"- [{model}](https://huggingface.co/{model})"
    if line in card:
        return card
    if f"\n{_MODELS}\n" not in card:
        return f"{card.rstrip()}\n\n{_MODELS}\n\n{line}\n"
    before, after = card.split(f"\n{_MODELS}\n", maxsplit=1)
    return f"{before}\n{_MODELS}\n\n{line}\n{after.lstrip(chr(10))}"


def render_card(repo_id: str, builder: MultiTaskBuilder, look: Look, card: CardSettings, *, with_recipe: bool) -> str:
    """Return the README of the repository, including its metadata."""
    tasks = builder.tasks
    soft = "".join(f" `{distribution_column(name)}` has the soft labels of `{name}`." for name in sorted(builder.soft))
    total = sum(look.rows.values())
    metadata = DatasetCardData(
        language=card.language or None,
        license=card.license,
        pretty_name=card.title,
        task_categories=["text-classification"],
        size_categories=[_size_category(total)],
        tags=["multi-task"],
        configs=[{"config_name": "default", "data_files": [{"split": n, "path": f"data/{n}-*"} for n in look.rows]}],
    )
    built = f"Built by [`{SCRIPT}`]({SCRIPT})" + (" from [`recipe.yaml`](recipe.yaml)." if with_recipe else ".")
    parts = [
        f"{_generated('summary')}# {card.title or 'Multi-task data set'}",
        lower_headings(
            card.description or "Texts with labels for several tasks. A row may have no label for some of them."
        ),
        f"{_generated('use')}## Usage",
        f'```python\nfrom datasets import load_dataset\n\ndataset = load_dataset("{repo_id}")\n```',
        "A missing label is null. Label ids are those of each column's `ClassLabel`. A multi-label task has 0, 1 or "
        f"null for each of its labels.{soft}",
        f"{_generated('tasks')}## Tasks",
        _task_table(tasks, look),
        *(f"Labels of `{task.name}`: {', '.join(map(code, task.labels))}." for task in tasks if task.labels),
        f"{_generated('coverage')}## Coverage",
        fenced(describe(look)),
        f"{_generated('built')}## How it was built",
        built + "".join(f"\n- {escape_markdown(note)}" for note in look.notes),
        f"{_generated('licence')}## Licence",
        code(card.license) if card.license else "The owner has not stated a licence.",
        *([f"{_generated('citation')}## Citation", fenced(card.citation.strip())] if card.citation else []),
    ]
    return signed(f"---\n{metadata.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n")


def _generated(section: str) -> str:
    """Return the mark before a section, which lets a later push detect edits."""
    return f"<!-- generated: {section} -->\n"


def render_script(builder: MultiTaskBuilder, folder: Path) -> str:
    """Return a Python script that builds the data set again.

    Args:
        builder: Builder of the data set.
        folder: Folder that the paths of the sources are relative to.
    """
    given = {each.name: getattr(builder.config, each.name) for each in fields(MultiTaskBuilderConfig)}
    settings = {name: given[name] for name in BUILDER_SETTINGS if given[name]}
    settings["tasks"] = [
        {name: value for name, value in {**task, "labels": resolved.labels}.items() if name in TASK_SETTINGS and value}
        for task, resolved in zip(given["tasks"], builder.tasks, strict=True)
    ]
    arguments = "".join(f"    {name}={_python(value, folder)},\n" for name, value in settings.items())
    return (
        '"""Rebuild this data set. The paths of its sources are relative to the current folder.\n\n'
        f"pip install modeling-multitask\npython {SCRIPT}\n"
        '"""\n\n'
        "from datasets_builder import Join, LabelColumn, MultiTaskBuilder, Source  # noqa: F401\n\n"
        f"builder = MultiTaskBuilder(\n{arguments})\n"
        "builder.download_and_prepare()\n"
        "print(builder.as_dataset())\n"
    )


def _python(value: Any, folder: Path) -> str:
    """Return the value as Python source, without empty and default values."""
    if isinstance(value, Source | LabelColumn | Join):
        given = {each.name: getattr(value, each.name) for each in fields(value)}
        defaults = {
            each.name: each.default if each.default_factory is MISSING else each.default_factory()
            for each in fields(value)
        }
        if given.get("path") and Path(given["path"]).exists():
            given["path"] = Path(os.path.relpath(given["path"], folder)).as_posix()
        if given.get("data") is not None and not isinstance(given["data"], dict):
            given["data"] = ...  # a table in memory, to be filled in by the user of the script
        words = ", ".join(f"{name}={_python(each, folder)}" for name, each in given.items() if each != defaults[name])
        return f"{type(value).__name__}({words})"
    if isinstance(value, JoinedText | LongVotes):
        value = asdict(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_python(v, folder)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_python(each, folder) for each in value) + "]"
    return "..." if value is ... else repr(value)


def _public(rows: Dataset, builder: MultiTaskBuilder) -> Dataset:
    """Return rows without the columns for reports: the files that they come from, and the votes for a majority."""
    hidden = (SOURCE, TABLE, LINE, *map(votes_column, builder.voted))
    return rows.remove_columns([name for name in hidden if name in rows.column_names])


def _write_shards(rows: Dataset, folder: Path, split: str) -> None:
    folder.mkdir(exist_ok=True)
    count = max(math.ceil((rows.data.nbytes or 0) / SHARD_BYTES), 1)
    for i in range(count):
        shard = rows.shard(count, i, contiguous=True)
        shard.to_parquet(folder / f"{split}-{i:05d}-of-{count:05d}.parquet")


def _task_table(tasks: list[TaskConfig], look: Look) -> str:
    splits = list(look.rows)
    lines = [
        f"| task | problem_type | labels | {' | '.join(f'labelled in {name}' for name in splits)} |",
        f"|---|---|--:|{'--:|' * len(splits)}",
    ]
    for task, each in zip(tasks, look.tasks, strict=True):
        counts = " | ".join(f"{each.labelled[name]:,} of {look.rows[name]:,}" for name in splits)
        labels = len(task.labels) if task.labels else "a number"
        lines.append(f"| `{task.name}` | {task.problem_type} | {labels} | {counts} |")
    return "\n".join(lines)


def _size_category(rows: int) -> str:
    steps = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]
    return next((name for limit, name in steps if rows < limit), "n>10M")
