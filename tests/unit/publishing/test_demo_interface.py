"""The demo's Gradio interface: its API, the stored data, and the data that it never reveals."""

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel, MultiTaskPipeline
from modeling_multitask.publishing.demo.interface import EXAMPLES, About, build_demo
from modeling_multitask.publishing.demo.interface import _theme as theme

pytestmark = [pytest.mark.compat, pytest.mark.usefixtures("closed_loops")]


@pytest.fixture
def classify(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> MultiTaskPipeline:
    return MultiTaskPipeline(model=model, tokenizer=tokenizer)


def call(demo: Any, name: str) -> Any:
    """The function behind an event of the page."""
    return next(each.fn for each in demo.fns.values() if getattr(each.fn, "func", each.fn).__name__.strip("_") == name)


def written(tmp_path: Path, content: str) -> str:
    (tmp_path / "texts.csv").write_text(content)
    return str(tmp_path / "texts.csv")


def test_programs_may_ask_for_answers_and_for_likeness_alone(classify: MultiTaskPipeline) -> None:
    demo = build_demo(classify, About("Reviews"))

    assert set(demo.get_api_info()["named_endpoints"]) == {"/answer", "/similarity"}


def test_nobody_is_told(classify: MultiTaskPipeline) -> None:
    assert build_demo(classify, About("Reviews")).analytics_enabled is False


def test_fonts_are_those_of_the_reader() -> None:
    assert theme()._stylesheets == []
    assert theme()._font_css == []


def test_weights_want_no_gradients(classify: MultiTaskPipeline) -> None:
    build_demo(classify, About("Reviews"))

    assert not any(parameter.requires_grad for parameter in classify.model.parameters())
    assert not classify.model.training


def test_answers_come_before_their_words(classify: MultiTaskPipeline) -> None:
    first, second = call(build_demo(classify, About("Reviews")), "show_answers")("the film was good")

    assert "finding the important words" in first
    assert "of the strongest word" in second


def test_one_of_two_sentences_is_not_compared(classify: MultiTaskPipeline) -> None:
    demo = build_demo(classify, About("Reviews"))

    assert "Type two sentences first." in call(demo, "show_likeness")("the film", " ")


def test_likeness_is_the_cosine(classify: MultiTaskPipeline) -> None:
    demo = build_demo(classify, About("Reviews"))

    assert call(demo, "similarity")("the film", "the film") == pytest.approx(1)


def test_a_table_shows_its_columns_and_first_rows(classify: MultiTaskPipeline, tmp_path: Path) -> None:
    demo = build_demo(classify, About("Reviews"))

    column, button, *_, shown = call(demo, "show_table")(written(tmp_path, "id,text\n1,good\n"))

    assert (column["choices"], column["value"]) == (["id", "text"], "text")
    assert button["interactive"]
    assert "<bdi>good</bdi>" in shown


def test_more_rows_than_a_space_takes_are_refused(classify: MultiTaskPipeline, tmp_path: Path) -> None:
    demo = build_demo(classify, About("Reviews", most_rows=1))

    _, button, *_, shown = call(demo, "show_table")(written(tmp_path, "text\na\nb\n"))

    assert "the table has more than 1 rows, which is the limit here" in shown
    assert not button["interactive"]


def test_how_many_rows_a_space_takes_is_said(classify: MultiTaskPipeline) -> None:
    demo = build_demo(classify, About("Reviews", most_rows=1_000))

    assert any("The limit is 1,000 rows." in str(getattr(block, "value", "")) for block in demo.blocks.values())


def test_a_table_that_is_taken_away_leaves_nothing(classify: MultiTaskPipeline) -> None:
    *_, progress, shown = call(build_demo(classify, About("Reviews")), "show_table")(None)

    assert (progress, shown) == ("", "")


def test_a_table_is_answered_with_progress_and_at_the_end_its_file(classify: MultiTaskPipeline, tmp_path: Path) -> None:
    path = written(tmp_path, "text\n" + "good\n" * 40)

    steps = call(build_demo(classify, About("Reviews")), "fill_table")(path, "text")

    said = []
    for _, progress, _, download in steps:
        said.append(progress)
        ready = download.get("value")
        lines = ready.read_text().splitlines() if ready else []
    assert ["32 of 40 rows answered" in said[0], "40 rows answered" in said[-1]] == [True, True]
    assert lines[0].startswith("text,topic,topic_score,sentiment,")
    assert len(lines) == 41
    assert not ready.exists()  # Gradio has its copy by now


def test_there_are_examples_to_choose_from() -> None:
    assert About("Reviews").examples == list(EXAMPLES)
