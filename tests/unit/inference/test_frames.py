"""DataFrames and Series: their texts, and a DataFrame of answers."""

import sys
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import encode, predict
from modeling_multitask.inference.tables import add_answers

TEXTS = ["the film was good", "bad soup"]
COLUMNS = ["topic", "topic_score", "sentiment", "sentiment_score", "tags", "tags_score", "rating"]
COLUMNS += ["grade", "grade_score"]


@pytest.fixture
def answer(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Callable:
    model.config.tasks[2].thresholds = [0.0, 0.0]  # so that each text has tags
    return lambda texts, **settings: predict(model, texts, tokenizer=tokenizer, **settings)


@pytest.fixture(params=["pandas", "polars"])
def library(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


def test_a_column_is_a_list_of_texts(answer: Callable, library: Any) -> None:
    assert answer(library.DataFrame({"body": TEXTS})["body"]) == answer(TEXTS)


def test_a_frame_gives_its_column_text(answer: Callable, library: Any) -> None:
    assert answer(library.DataFrame({"id": [1, 2], "text": TEXTS})) == answer(TEXTS)


def test_a_frame_with_two_texts_gives_pairs(answer: Callable, library: Any) -> None:
    frame = library.DataFrame({"text_pair": ["bad", "good"], "text": ["good", "bad"]})

    assert answer(frame) == answer([("good", "bad"), ("bad", "good")])


def test_a_frame_has_one_embedding_for_each_row(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, library: Any
) -> None:
    given = encode(model, library.DataFrame({"text": TEXTS}), tokenizer=tokenizer)

    assert (given == encode(model, TEXTS, tokenizer=tokenizer)).all()


def test_a_frame_without_texts_is_refused_with_its_columns(answer: Callable, library: Any) -> None:
    message = r"has no column 'text'; its columns are 'id', 'texts'; did you mean 'texts'\?; give one of them instead"

    with pytest.raises(ValueError, match=message):
        answer(library.DataFrame({"id": [1, 2], "texts": TEXTS}))


def test_a_cell_without_a_text_is_refused_with_its_place(answer: Callable, library: Any) -> None:
    with pytest.raises(ValueError, match=r"^texts\[1\] is (None|nan); it must be a string"):
        answer(library.DataFrame({"text": ["good", None]}))


def test_the_columns_of_a_frame_are_those_of_multitask_predict(model: MultiTaskModel, answer: Callable) -> None:
    given = answer(TEXTS, as_frame=True)

    table = add_answers(pa.table({"text": TEXTS}), answer(TEXTS), model.config.tasks)
    assert list(given) == COLUMNS
    assert given.to_dict("list") == table.drop_columns("text").to_pydict()


def test_the_tags_of_a_frame_are_lists(answer: Callable) -> None:
    given = answer(TEXTS, as_frame=True)

    assert [type(tags) for tags in given["tags"]] == [list, list]
    assert sorted(given["tags"][0]) == ["long", "loud"]


def test_a_frame_has_the_tasks_asked_for(answer: Callable) -> None:
    assert list(answer(TEXTS, as_frame=True, tasks=["rating", "topic"])) == ["topic", "topic_score", "rating"]


@pytest.mark.parametrize("kind", [lambda frame: frame, lambda frame: frame["text"]], ids=["DataFrame", "Series"])
def test_the_index_of_pandas_is_kept(answer: Callable, kind: Callable) -> None:
    frame = pd.DataFrame({"text": TEXTS}, index=pd.Index(["x", "y"], name="id"))

    given = answer(kind(frame), as_frame=True)

    assert given.index.equals(frame.index)
    assert list(frame.join(given)) == ["text", *COLUMNS]
    assert given.loc["y", "topic"] == answer(TEXTS[1])["topic"]["label"]


def test_one_text_is_a_frame_of_one_row(answer: Callable) -> None:
    assert answer(TEXTS[0], as_frame=True).shape == (1, len(COLUMNS))


def test_no_texts_are_a_frame_without_rows(answer: Callable) -> None:
    given = answer([], as_frame=True)

    assert given.shape == (0, len(COLUMNS))
    assert list(given) == COLUMNS


def test_an_answer_that_is_withheld_is_missing(model: MultiTaskModel, answer: Callable) -> None:
    model.config.tasks[0].abstain_below = 1.0

    given = answer(TEXTS, as_frame=True)

    assert given["topic"].isna().all()
    assert given["topic_score"].notna().all()


@pytest.mark.parametrize("kind", [lambda frame: frame, lambda frame: frame["text"]], ids=["DataFrame", "Series"])
def test_polars_gives_polars(answer: Callable, kind: Callable) -> None:
    polars = pytest.importorskip("polars")

    given = answer(kind(polars.DataFrame({"text": TEXTS})), as_frame=True)

    assert isinstance(given, polars.DataFrame)
    assert given.columns == COLUMNS
    assert given["tags"].to_list() == answer(TEXTS, as_frame=True)["tags"].to_list()


def test_a_frame_has_answers_alone(answer: Callable) -> None:
    with pytest.raises(ValueError, match="as_frame has one column for each answer, but top_k is None; leave top_k out"):
        answer(TEXTS, as_frame=True, top_k=None)


def test_polars_need_not_be_installed(answer: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)  # an import would fail

    assert answer(pd.DataFrame({"text": TEXTS}), as_frame=True).shape == (2, len(COLUMNS))


def test_a_frame_with_two_columns_of_texts_is_refused(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    frame = pd.DataFrame([["good", "bad"]], columns=["text", "text"])

    with pytest.raises(ValueError, match="the DataFrame has several columns 'text'; rename all but one"):
        predict(model, frame, tokenizer=tokenizer)
