"""Any request to the pipeline is answered, or refused with a `ValueError`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.pipeline_multitask import MultiTaskPipeline
from tests.fuzz.damage import ODD, fuzzed, refusal

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


@pytest.fixture
def pipeline(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> MultiTaskPipeline:
    return MultiTaskPipeline(model=model, tokenizer=tokenizer, device=-1)


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
