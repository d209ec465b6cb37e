"""Any request to the pipeline or the demo is answered, or refused with one sentence."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.pipeline_multitask import MultiTaskPipeline
from tests.fuzz.damage import ODD, damaged_bytes, fuzzed, refusal

PLANES = st.text(st.characters(exclude_categories=()), max_size=300)  # every plane of Unicode, and half characters
REQUESTS = st.recursive(
    ODD | PLANES | st.binary(max_size=5),
    lambda each: (
        st.lists(each, max_size=3)
        | st.tuples(each, each)
        | st.dictionaries(st.sampled_from(["text", "text_pair", "label", 1]), each, max_size=3)
    ),
    max_leaves=4,
)

TABLES = [
    b'text,stars\nthe film,2\n"good ""soup"", and\nmore",\n',
    b"\xef\xbb\xbfid;sentence\n1;the soup\n2;\n",
    "text\tnote\n中文\tnaïve\n".encode(),
]


@pytest.fixture
def pipeline(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> MultiTaskPipeline:
    return MultiTaskPipeline(model=model, tokenizer=tokenizer, device=-1)


@pytest.fixture
def programs(pipeline: MultiTaskPipeline, closed_loops: None) -> dict[str, Any]:
    """The functions behind the API of the demo by their names: `answer` and `similarity`."""
    pytest.importorskip("gradio")
    from modeling_multitask.publishing.demo.interface import About, build_demo

    demo = build_demo(pipeline, About("A model"))
    return {each.api_name: each.fn for each in demo.fns.values() if each.api_visibility == "public"}


@pytest.mark.slow
@fuzzed
@given(request=REQUESTS)
def test_any_request_is_answered_or_refused(request: Any, pipeline: MultiTaskPipeline) -> None:
    def answer() -> None:
        found = pipeline(request)
        names = {task.name for task in pipeline.model.config.tasks}
        assert all(set(each) == names for each in (found if isinstance(found, list) else [found]))

    assert refusal(answer, ValueError) != ""


@pytest.mark.slow
@fuzzed
@given(text=PLANES)
def test_a_text_of_any_characters_is_answered(text: str, pipeline: MultiTaskPipeline) -> None:
    assert set(pipeline(text)) == {task.name for task in pipeline.model.config.tasks}


@pytest.mark.slow
@fuzzed
@given(text=REQUESTS, other=REQUESTS)
def test_any_request_to_the_demo_is_answered_or_refused(
    text: Any, other: Any, pipeline: MultiTaskPipeline, programs: dict[str, Any]
) -> None:
    def ask() -> None:
        assert set(programs["answer"](text)) == {task.name for task in pipeline.model.config.tasks}
        assert math.isfinite(programs["similarity"](text, other))

    assert refusal(ask, pytest.importorskip("gradio").Error) != ""


@pytest.mark.slow
@fuzzed
@given(content=st.sampled_from(TABLES).flatmap(damaged_bytes))
def test_a_damaged_table_in_the_demo_is_answered_or_refused(
    content: bytes, pipeline: MultiTaskPipeline, tmp_path: Path
) -> None:
    pytest.importorskip("gradio")
    from modeling_multitask.publishing.demo import answer_table

    path = tmp_path / "rows.csv"
    path.write_bytes(content)

    def fill() -> None:
        table = answer_table.read_given_table(path, most_rows=10)
        answer_table.check_columns(table, pipeline.model.config.tasks)
        place = table.columns.index(answer_table.likely_text(table))
        batches = answer_table.answer_rows(pipeline, [row[place] for row in table.rows])
        assert sum(map(len, batches)) == len(table.rows)

    assert refusal(fill, answer_table.TableError) != ""
