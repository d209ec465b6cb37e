"""The pipeline: its answers and their format."""

import math
from dataclasses import replace

import pytest
import torch
from transformers import PreTrainedTokenizerBase, pipeline

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskPipeline, TaskConfig
from modeling_multitask.inference import predict
from tests.conftest import tiny_bert_config
from tests.deciding import answer

pytestmark = pytest.mark.compat

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
SENTIMENT = TaskConfig("sentiment", "binary_classification", labels=["negative", "positive"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud", "late"])
RATING = TaskConfig("rating", "regression")
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])


@pytest.fixture
def classify(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> MultiTaskPipeline:
    return pipeline("multitask-classification", model=model, tokenizer=tokenizer)


def test_one_label_is_the_most_probable_class() -> None:
    logits = torch.tensor([0.0, 2.0, 1.0])

    assert answer(logits, TOPIC) == {"label": "food", "score": pytest.approx(logits.softmax(0)[1].item())}


@pytest.mark.parametrize(("logit", "label"), [(3.0, "positive"), (-3.0, "negative")])
def test_a_binary_answer_scores_the_label_it_gives(logit: float, label: str) -> None:
    assert answer(torch.tensor([logit]), SENTIMENT) == {"label": label, "score": pytest.approx(0.95257, abs=1e-5)}


def test_a_multi_label_answer_is_what_lies_above_the_threshold_best_first() -> None:
    answers = answer(torch.tensor([0.5, -1.0, 2.0]), TAGS)

    assert [each["label"] for each in answers] == ["late", "long"]


def test_a_multi_label_answer_may_be_empty() -> None:
    assert answer(torch.tensor([-1.0, -1.0, -1.0]), TAGS) == []


def test_a_regression_answers_with_its_number() -> None:
    assert answer(torch.tensor([-1.25]), RATING) == {"score": -1.25}


def test_a_rank_is_as_probable_as_lying_above_the_one_before_but_not_above_itself() -> None:
    # Above poor with probability 3/4, above fair with 1/4.
    above = torch.tensor([math.log(3), -math.log(3)])

    assert GRADE.kind.probabilities(above, GRADE).tolist() == pytest.approx([0.25, 0.5, 0.25])


@pytest.mark.parametrize(("logits", "label"), [([-2.0, -4.0], "poor"), ([2.0, -2.0], "fair"), ([4.0, 2.0], "fine")])
def test_the_answer_of_an_ordinal_regression_is_the_most_probable_rank(logits: list, label: str) -> None:
    # The sigmoid of 2 is 0.88080, so that of the middle rank is 2 · 0.88080 - 1.
    score = 0.76159 if label == "fair" else 0.88080

    assert answer(torch.tensor(logits), GRADE) == {"label": label, "score": pytest.approx(score, abs=1e-5)}


def test_a_temperature_makes_scores_less_certain_and_changes_no_answer() -> None:
    logits = torch.tensor([0.0, 2.0, 1.0])

    calibrated = answer(logits, replace(TOPIC, temperature=2.0))

    assert calibrated == {"label": "food", "score": pytest.approx((logits / 2).softmax(0)[1].item())}


def test_a_temperature_leaves_the_number_of_a_regression_as_it_is() -> None:
    assert answer(torch.tensor([-1.25]), replace(RATING, temperature=2.0)) == {"score": -1.25}


@pytest.mark.parametrize(("threshold", "label"), [(0.8, "negative"), (0.7, "positive")])
def test_a_binary_answer_is_positive_above_its_threshold(threshold: float, label: str) -> None:
    logit = torch.tensor([math.log(3)])  # a score of 0.75

    assert answer(logit, replace(SENTIMENT, thresholds=[threshold]))["label"] == label


def test_each_label_of_several_has_its_own_threshold() -> None:
    answers = answer(torch.zeros(3), replace(TAGS, thresholds=[0.4, 0.5, 0.6]))

    assert [each["label"] for each in answers] == ["long"]


@pytest.mark.parametrize(("least", "label"), [(0.7, "positive"), (0.8, None)])
def test_a_score_that_is_too_low_is_no_answer(least: float, label: str | None) -> None:
    given = answer(torch.tensor([math.log(3)]), replace(SENTIMENT, abstain_below=least))

    assert given == {"label": label, "score": pytest.approx(0.75)}


@pytest.mark.parametrize(("least", "label"), [(2.6, "film"), (2.8, None)])
def test_an_energy_that_is_too_low_is_no_answer_and_the_score_stays(least: float, label: str | None) -> None:
    # log(4 + 2 + 9) = 2.708, though the score of the answer is 9 / 15 with any constant added to the logits
    logits = torch.tensor([9.0, 4.0, 2.0]).log()

    given = answer(logits, replace(TOPIC, abstain_below=least, abstain_by="energy"))

    assert given == {"label": label, "score": pytest.approx(0.6)}


def test_of_equally_probable_ranks_the_lowest_is_the_answer() -> None:
    assert answer(torch.tensor([0.0, -100.0]), GRADE)["label"] == "poor"


@pytest.mark.parametrize(("task", "count"), [(TOPIC, 3), (SENTIMENT, 2), (TAGS, 3), (GRADE, 3)])
def test_top_k_none_gives_every_class_in_descending_order(task: TaskConfig, count: int) -> None:
    # Descending, as the logits of ranks are.
    scores = [each["score"] for each in answer(torch.randn(task.num_logits).sort(descending=True)[0], task, top_k=None)]

    assert len(scores) == count
    assert scores == sorted(scores, reverse=True)


def test_top_k_gives_that_many_classes() -> None:
    assert len(answer(torch.randn(3), TOPIC, top_k=2)) == 2


def test_a_string_gives_one_dict_and_a_list_gives_a_list(classify: MultiTaskPipeline) -> None:
    single, several = classify("the film was good"), classify(["the film was good"])

    assert list(single) == ["topic", "sentiment", "tags", "rating", "grade"]
    assert several == [single]


def test_a_batch_gives_what_each_text_gives_alone(classify: MultiTaskPipeline) -> None:
    texts = ["the film was good", "bad", "the phone was not very great and the screen broken", "", "soup"]

    together, apart = classify(texts, batch_size=3), [classify(text) for text in texts]

    assert [each["topic"]["label"] for each in together] == [each["topic"]["label"] for each in apart]
    assert [each["rating"]["score"] for each in together] == pytest.approx(
        [each["rating"]["score"] for each in apart], abs=1e-5
    )


def test_lists_are_batched_by_default(classify: MultiTaskPipeline) -> None:
    assert classify._batch_size == 32


def test_the_embedding_comes_when_asked_for(classify: MultiTaskPipeline, model: MultiTaskModel) -> None:
    given = classify("the film was good", return_embedding=True)["embedding"]

    with torch.no_grad():
        expected = model(**classify.tokenizer("the film was good", return_tensors="pt")).embeddings[0]
    assert given == pytest.approx(expected.tolist(), abs=1e-6)


def test_texts_are_cut_to_the_length_of_the_model(classify: MultiTaskPipeline) -> None:
    # P58: the tokenizer itself knows no limit; 16 tokens are [CLS], 14 words and [SEP].
    long, cut = "good " * 300, "good " * 14

    assert classify(long, return_embedding=True) == classify(cut, return_embedding=True)


def test_a_pair_of_texts_is_answered_as_predict_answers_it(
    classify: MultiTaskPipeline, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    pairs = [("the film was good", "bad"), ("soup", "the phone was not very great and the screen broken")]

    given = classify([{"text": one, "text_pair": other} for one, other in pairs])

    expected = predict(model, pairs, tokenizer=tokenizer)
    # The same weights in other batches: padding moves float32 sums by about 1e-7.
    assert [each["rating"]["score"] for each in given] == pytest.approx(
        [each["rating"]["score"] for each in expected], abs=1e-5
    )
    assert [each["topic"]["label"] for each in given] == [each["topic"]["label"] for each in expected]


def test_one_pair_gives_one_dict(classify: MultiTaskPipeline) -> None:
    assert list(classify({"text": "good", "text_pair": "bad"})) == ["topic", "sentiment", "tags", "rating", "grade"]


def test_a_pair_is_not_its_first_text(classify: MultiTaskPipeline) -> None:
    pair, alone = classify({"text": "good", "text_pair": "bad"}), classify("good")

    assert pair["rating"]["score"] != pytest.approx(alone["rating"]["score"], abs=1e-4)


def test_an_unknown_parameter_is_refused(classify: MultiTaskPipeline) -> None:
    with pytest.raises(ValueError, match=r"'topk' is not a parameter .*; allowed: return_embedding, tasks, top_k"):
        classify("good", topk=2)


PHONE = {"task": "topic", "labels": ["phone"]}
DEPENDENT = [
    {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "phone"]},
    {
        "name": "part",
        "problem_type": "single_label_classification",
        "labels": ["plot", "actor", "screen"],
        "given": {"task": "topic", "parents": {"plot": "film", "actor": "film", "screen": "phone"}},
    },
    {"name": "broken", "problem_type": "binary_classification", "labels": ["no", "yes"], "given": PHONE},
    {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"], "given": PHONE},
    {"name": "price", "problem_type": "regression", "given": PHONE},
]


@pytest.fixture
def dependent(tokenizer: PreTrainedTokenizerBase) -> MultiTaskPipeline:
    """Of a model that is sure of a topic, and of a part of the other one."""
    linear = {"hidden_sizes": []}
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=DEPENDENT, head=linear, max_length=16)
    model = MultiTaskModel(config).eval()
    with torch.no_grad():
        for task, bias in {"topic": [9.0, 0.0], "part": [0.0, 1.0, 5.0], "tags": [5.0, 5.0]}.items():
            getattr(model.heads, task)[-1].bias.copy_(torch.tensor(bias))
    return pipeline("multitask-classification", model=model, tokenizer=tokenizer)


def test_questions_that_are_not_asked_have_no_answer(dependent: MultiTaskPipeline) -> None:
    given = dependent("the film was good")

    assert {name: answer if name in ("tags", "price") else answer["label"] for name, answer in given.items()} == {
        "topic": "film",
        "part": "actor",  # the other topic's screen is what its own head would say
        "broken": None,
        "tags": [],
        "price": {"score": None},
    }
    assert given["broken"]["score"] == pytest.approx(
        given["topic"]["score"]
    )  # the probability that the task does not apply


def test_that_a_question_is_not_asked_is_the_first_of_all_its_answers(dependent: MultiTaskPipeline) -> None:
    given = dependent("the film was good", top_k=None)

    assert given["part"][0]["label"] == "actor"
    assert given["broken"][0]["label"] is None
    assert {each["label"] for each in given["broken"]} == {None, "no", "yes"}
    assert sum(each["score"] for each in given["broken"]) == pytest.approx(1)


def test_predict_leaves_out_what_the_pipeline_does(dependent: MultiTaskPipeline) -> None:
    texts = ["the film was good", "bad"]

    predicted = predict(dependent.model, texts, tokenizer=dependent.tokenizer)

    for one, other in zip(predicted, dependent(texts), strict=True):
        assert one["part"]["label"] == other["part"]["label"]
        assert one["broken"]["label"] is other["broken"]["label"] is None
        assert (one["tags"], one["price"]) == (other["tags"], other["price"])
