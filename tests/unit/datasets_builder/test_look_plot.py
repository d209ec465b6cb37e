"""The plot of a data set can be drawn for any content, with unchanged names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from matplotlib.figure import Figure

from datasets_builder.features import table_features
from datasets_builder.look import Look, look_at
from datasets_builder.look_plot import draw_look
from modeling_multitask import TaskConfig


def classes(name: str, *labels: str) -> TaskConfig:
    return TaskConfig(name, "single_label_classification", labels=list(labels))


RATING = TaskConfig("rating", "regression")
TOPIC = classes("topic", "film", "food")
SEVEN = [classes(f"question_{i}", "no", "maybe", "yes") for i in range(6)] + [RATING]
MANY = classes("intent", *(f"intent_{i}" for i in range(151)))
STRANGE = classes(
    f"a_task{'_of_a_long_name' * 4}", "costs $5 or $6", r"$\frac{1}{0", "under_score", "two\nlines", "x" * 200
)


def look_of(*tasks: TaskConfig, lengths: list[int] | None = None, cells: list | None = None) -> Look:
    """Two rows with every label, and one with none; or rows with these cells of the first task."""
    row = {task.name: 0.5 if task.problem_type == "regression" else 0 for task in tasks}
    rows = [{"text": "a", **row}, {"text": "b", **row}, {"text": "c"}]
    if cells is not None:
        rows = [{"text": "a", tasks[0].name: cell} for cell in cells]
    table = Dataset.from_list(rows, features=table_features(list(tasks)))
    measured = {"train": np.array(lengths)} if lengths else None
    return look_at({"train": table}, list(tasks), lengths=measured, max_length=16)


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Draw an overview, and return the saved figure with its layout."""
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, path: Path, **settings: Any) -> None:
        save(figure, path, **settings)
        saved.append(figure)

    def draw(*tasks: TaskConfig, **settings: Any) -> Figure:
        draw_look(look_of(*tasks, **settings), tmp_path / "data.png")
        assert (tmp_path / "data.png").read_bytes().startswith(b"\x89PNG")
        return saved[-1]

    monkeypatch.setattr(Figure, "savefig", keep)
    return draw


def panels(figure: Figure) -> list[Any]:
    return [axis for axis in figure.axes if axis.axison or axis.texts]


@pytest.mark.parametrize(
    ("tasks", "count"),
    [([TOPIC], 4), (SEVEN, 10), ([MANY], 4), ([RATING], 4), ([STRANGE], 4)],
    ids=["one task", "seven tasks", "151 labels", "a regression", "strange names"],
)
def test_there_is_a_panel_for_every_task_below_the_three_of_all(drawn: Any, tasks: list, count: int) -> None:
    assert len(panels(drawn(*tasks, lengths=[3, 4, 20]))) == count


def test_lengths_that_are_not_known_are_said_to_be_so(drawn: Any) -> None:
    texts = [text.get_text() for text in drawn(TOPIC).axes[2].texts]

    assert texts == ["no tokenizer available"]


def test_every_bar_of_lengths_stands_for_as_many_lengths_as_the_others(drawn: Any) -> None:
    bars = drawn(TOPIC, lengths=[3, 7, 300]).axes[2].patches

    assert {bar.get_width() for bar in bars} == {6}  # (300 - 3) // 50 + 1
    assert sum(bar.get_height() for bar in bars) == 3


def test_names_are_drawn_as_they_are_written_but_cut(drawn: Any) -> None:
    labels = drawn(STRANGE).axes[3].get_yticklabels()

    assert [label.get_text() for label in labels] == [
        "costs $5 or $6",
        r"$\frac{1}{0",
        "under_score",
        "two lines",
        "x" * 27 + "…",
    ]
    assert not any(label.get_parse_math() for label in labels)


@pytest.mark.parametrize("tasks", [SEVEN, [STRANGE, RATING]], ids=["seven tasks", "strange names"])
def test_panels_neither_cover_each_other_nor_leave_the_picture(drawn: Any, tasks: list) -> None:
    figure = drawn(*tasks, lengths=[3, 4, 20])

    inner = [axis.get_window_extent() for axis in figure.axes]
    whole = [axis.get_tightbbox() for axis in panels(figure)]
    assert not [(i, j) for i, one in enumerate(inner) for j, other in enumerate(inner[:i]) if one.overlaps(other)]
    assert all(figure.bbox.contains(*corner) for box in whole for corner in (box.min, box.max))


def test_the_look_needs_the_extra_that_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)

    with pytest.raises(ImportError, match=r"matplotlib is not installed; .*extra 'plots'"):
        draw_look(look_of(TOPIC), tmp_path / "data.png")


def test_a_label_of_several_has_a_bar_of_its_rows_with_yes_no_and_nothing(drawn: Any) -> None:
    tags = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])

    axis = drawn(tags, cells=[{"long": 1, "loud": 0}, {"long": 1, "loud": None}, None]).axes[3]

    assert [text.get_text() for text in axis.texts] == [" 2 / 0 / 1", " 0 / 1 / 2"]
    assert [bar.get_width() for bar in axis.patches] == [2, 0, 0, 1, 1, 2]
    assert axis.get_xlabel() == "rows in all splits: yes / no / nothing"
