"""The hand-made data is varied, has no leakage, and is not predictable from punctuation or templates."""

import csv
import random
import re
from collections import Counter
from itertools import combinations

import pytest
from sklearn.metrics import cohen_kappa_score

from tests.conftest import ROOT
from tests.integration.test_minilm import GOLDEN
from tests.systems.test_s2 import SENTENCES

DATA = ROOT / "configuration" / "recipes" / "data"
HAND_MADE = ["topics", "topics_test", "intents", "intents_test", "categories"]
PARTS = {"topics": "topics_test", "intents": "intents_test"}  # for training, and what was written apart from it


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


@pytest.mark.parametrize("name", HAND_MADE)
def test_no_sentence_occurs_twice(name: str) -> None:
    texts = [" ".join(words(row["text"])) for row in rows(name)]

    assert [text for text, count in Counter(texts).items() if count > 1] == []


@pytest.mark.parametrize(("train", "test"), PARTS.items())
def test_no_sentence_that_was_written_apart_is_trained_on(train: str, test: str) -> None:
    trained = {" ".join(words(row["text"])) for row in rows(train)}

    assert [row["text"] for row in rows(test) if " ".join(words(row["text"])) in trained] == []


def test_no_five_words_in_a_row_stand_in_more_than_three_sentences() -> None:
    runs = Counter(
        run
        for name in HAND_MADE
        for row in rows(name)
        for run in {tuple(words(row["text"])[i : i + 5]) for i in range(len(words(row["text"])) - 4)}
    )

    assert [run for run, count in runs.items() if count > 3] == []


def test_topics_have_as_many_rows_of_each_sentiment() -> None:
    counts = Counter((row["topic"], row["sentiment"]) for row in rows("topics"))

    assert len(rows("topics")) >= 450
    assert len(counts) == 15
    assert max(counts.values()) <= min(counts.values()) + 2


def test_intents_are_at_least_300_and_as_many_of_each() -> None:
    counts = Counter(row["intent"] for row in rows("intents"))

    assert sum(counts.values()) >= 300
    assert set(counts) == {"question", "statement", "command", "exclamation"}
    assert len(set(counts.values())) == 1


def test_the_last_character_gives_no_intent_away_but_that_of_questions() -> None:
    ends: dict[str, Counter[str]] = {}
    for row in rows("intents"):
        ends.setdefault(row["intent"], Counter())[row["text"][-1]] += 1

    assert ends["question"]["?"] < 0.8 * sum(ends["question"].values())
    assert ends["exclamation"]["!"] < 0.8 * sum(ends["exclamation"].values())
    for other in ("statement", "command"):
        assert ends[other]["!"] >= 5


def test_28_categories_have_at_least_12_sentences_each_and_half_say_no_sentiment() -> None:
    given = rows("categories")
    counts = Counter(row["category"] for row in given)

    assert len(counts) == 28
    assert min(counts.values()) >= 12
    assert {"baby", "baking", "beauty"} <= set(counts)
    assert sum(not row["sentiment"] for row in given) * 2 == len(given)


def test_the_sentences_that_the_systems_were_shown_with_are_test_rows() -> None:
    topics = {row["text"]: row for row in rows("topics_test")}
    intents = {row["text"]: row for row in rows("intents_test")}

    assert set(GOLDEN) <= set(topics)
    for text, (column, label) in SENTENCES.items():
        assert intents[text][column] == label


def test_products_are_those_of_the_reviews_in_their_order() -> None:
    reviews = [row for row in rows("reviews") if row["domain"] == "product"]

    assert [(row["text"], row["sentiment"]) for row in rows("products")] == [
        (row["text"], row["sentiment"]) for row in reviews
    ]
    for row in rows("products"):
        assert (row["category"] == "positive sentiment") == (row["sentiment"] == "positive")


def test_a_hundred_concerns_were_labelled_twice_and_the_stated_share_agrees() -> None:
    first = [row for row in rows("products") if row["sentiment"] == "negative"]
    chosen = [first[i] for i in random.Random(0).sample(range(500), 100)]
    second = {row["text"]: row["category"] for row in rows("products_again")}
    pairs = [(row["category"], second[row["text"]]) for row in chosen]

    assert sum(one == other for one, other in pairs) == 95
    assert cohen_kappa_score(*zip(*pairs, strict=True)) == pytest.approx(0.91, abs=0.005)


def test_the_data_sets_share_no_sentence() -> None:
    texts = {name: {row["text"] for row in rows(name)} for name in ("topics", "intents", "categories", "reviews")}

    assert [(one, other) for one, other in combinations(texts, 2) if texts[one] & texts[other]] == []
