"""The demo's pages: their content, and that no input becomes markup."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from modeling_multitask.kinds_multitask import KINDS
from modeling_multitask.publishing.demo import pages
from modeling_multitask.publishing.demo.attribution import WordScore
from modeling_multitask.publishing.demo.task_answers import Option, TaskAnswer

EVIL = [
    "<img src=x onerror=alert(1)>",
    "**bold** [x](javascript:alert(1))",
    '"><script>alert(1)</script>',
    "' onclick='x",
]
OURS = {"div", "article", "h1", "h3", "small", "p", "strong", "ul", "li", "span", "i", "u", "em", "details", "summary"}
OURS |= {"bdi", "b", "table", "thead", "tbody", "tr", "th", "td", "header", "footer", "a", "code"}
ATTRIBUTES = {"class", "style", "title", "role", "scope", "dir", "aria-live", "data-task", "href", "target", "rel"}

TOPIC = TaskAnswer("topic", KINDS["single_label_classification"], [Option("film", 0.9, True), Option("food", 0.1)])
NUMBER = TaskAnswer("rating", KINDS["regression"], number=1.23456)
SILENT = TaskAnswer(
    "part", KINDS["binary_classification"], [Option("a", 0.7), Option("b", 0.3)], note="no answer: because"
)
UNASKED = replace(SILENT, asked=False, note="not asked: topic is not food")


class Parsed(HTMLParser):
    """A page as a browser parses it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the name and the attributes of a tag."""
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Record a text."""
        self.text += data


def many(count: int, problem_type: str = "single_label_classification") -> TaskAnswer:
    options = [Option(f"label {i}", 1 / count, i == 0) for i in range(count)]
    return TaskAnswer("intent", KINDS[problem_type], options)


def evil_pages(evil: str) -> dict[str, str]:
    """Every page with the same in every place that takes a text."""
    answer = TaskAnswer(evil, KINDS["single_label_classification"], [Option(evil, 0.9, True), Option(f"{evil}2", 0.1)])
    silent = replace(answer, options=[Option(evil, 0.9)], note=evil)
    words = {evil: [WordScore(0, len(evil), 1.0)]}
    return {
        "answers": pages.answers_page([answer, silent], evil + evil, words),
        "comparison": pages.comparison_page([answer, silent], [silent, answer], 0.5),
        "table": pages.table_page([evil], [[evil]], 1, added=1),
        "problem": pages.problem_page(evil),
        "hint": pages.hint_page(evil),
        "head": pages.head_page(evil, [evil], evil),
        "foot": pages.foot_page(evil, evil),
    }


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("page", evil_pages(""))
def test_nothing_from_outside_becomes_markup(page: str, evil: str) -> None:
    parsed = Parsed(evil_pages(evil)[page])

    assert parsed.tags <= OURS
    assert {name for name, _ in parsed.attributes} <= ATTRIBUTES
    assert all(value.startswith("https://huggingface.co/") for name, value in parsed.attributes if name == "href")
    assert evil in parsed.text


def test_a_card_has_the_answer_and_a_bar_for_each_label() -> None:
    page = pages.answers_page([TOPIC], "the film", {})

    assert "<strong><bdi>film</bdi></strong>" in page
    assert page.count("<li") == 2
    assert 'style="width:90.00%"' in page


def test_a_threshold_is_marked() -> None:
    page = pages.answers_page([replace(TOPIC, options=[Option("film", 0.9, True, threshold=0.4)])], "", {})

    assert '<u style="left:40.00%" title="threshold 0.40"></u>' in page


def test_of_many_labels_ten_are_shown_and_the_rest_is_folded_with_its_sum() -> None:
    parts = pages.answers_page([many(151)], "", {}).partition("<details>")

    assert parts[0].count("<li") == pages.MOST_BARS
    assert parts[2].startswith("<summary>141 more labels, total 0.93</summary>")
    assert parts[2].count("<li") == 141


def test_scores_of_several_labels_have_no_sum() -> None:
    assert "<summary>20 more labels</summary>" in pages.answers_page([many(30, "multi_label_classification")], "", {})


@pytest.mark.parametrize("answer", [many(12), many(30, "ordinal_regression")])
def test_a_few_labels_and_an_order_are_not_folded(answer: TaskAnswer) -> None:
    assert "<details>" not in pages.answers_page([answer], "", {})


def test_a_question_that_is_not_asked_folds_its_scores() -> None:
    page = pages.answers_page([UNASKED], "the film", {})

    assert "not asked: topic is not food" in page
    assert page.partition("<summary>all scores</summary>")[0].count("<li") == 0


def test_why_there_is_no_answer_is_said_in_its_place() -> None:
    assert '<strong class="mt-silent"><bdi>no answer: because</bdi></strong>' in pages.answers_page([SILENT], "", {})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (TOPIC, "film"),
        (NUMBER, "1.235"),
        (SILENT, "no answer: because"),
        (
            TaskAnswer("tags", KINDS["multi_label_classification"], [Option("a", 0.9, True), Option("b", 0.8, True)]),
            "a, b",
        ),
        (TaskAnswer("tags", KINDS["multi_label_classification"], [Option("a", 0.1)]), "none"),
    ],
)
def test_an_answer_is_said_in_a_few_words(answer: TaskAnswer, said: str) -> None:
    assert pages.short_answer(answer) == said


def test_words_are_coloured_by_side_and_strength_and_say_so() -> None:
    page = pages.answers_page([TOPIC], "a good film", {"topic": [WordScore(2, 6, -0.5), WordScore(7, 11, 2.0)]})

    weak = '<span class="mt-against" style="--mt-strength:0.25" title="opposes: 25% of the strongest word">good</span>'
    strong = '<span class="mt-for" style="--mt-strength:1.00" title="supports: 100% of the strongest word">film</span>'
    assert f"a {weak} {strong}</p>" in page
    assert "supports <bdi>film</bdi>" in page


def test_words_of_a_number_raise_or_lower_it() -> None:
    page = pages.answers_page([NUMBER], "good", {"rating": [WordScore(0, 4, 1.0)]})

    assert Parsed(page).text.endswith("raises it lowers it")


def test_what_the_model_did_not_read_is_said() -> None:
    page = pages.answers_page([TOPIC], "good film", {"topic": [WordScore(0, 4, 1.0)]})

    assert '<span class="mt-unread" title="not read: the text is too long"> film</span>' in page


def test_while_words_are_looked_for_that_is_said() -> None:
    assert "finding the important words" in pages.answers_page([TOPIC], "good", None)


def test_words_are_looked_for_where_there_is_something_to_explain() -> None:
    nothing = TaskAnswer("tags", KINDS["multi_label_classification"], note="no answer: topic has none")
    several = TaskAnswer("more", KINDS["multi_label_classification"], [Option("a", 0.9), Option("b", 0.8, True)])

    assert pages.to_explain([TOPIC, NUMBER, SILENT, UNASKED, nothing, several]) == {
        "topic": "film",
        "rating": None,
        "part": "a",  # the best one, though it is no answer
        "more": "b",
    }


def test_that_a_question_is_not_asked_is_nothing_to_explain() -> None:
    answer = replace(SILENT, options=[Option(None, 0.6), Option("a", 0.4)])

    assert pages.explained(answer) == "a"


@pytest.mark.parametrize(("cosine", "share"), [(1.0, "1.00"), (0.0, "0.50"), (-1.0, "0.00"), (0.5, "0.75")])
def test_likeness_is_shown_from_0_to_1(cosine: float, share: str) -> None:
    assert f"<b>{share}</b>" in pages.comparison_page([], [], cosine)


def test_answers_that_differ_are_marked() -> None:
    other = replace(TOPIC, options=[Option("food", 0.9, True)])

    assert 'class="mt-differs"' in pages.comparison_page([TOPIC], [other], 0.5)
    assert 'class="mt-differs"' not in pages.comparison_page([TOPIC], [TOPIC], 0.5)


def test_numbers_are_not_marked_as_different() -> None:
    assert 'class="mt-differs"' not in pages.comparison_page([NUMBER], [replace(NUMBER, number=2.0)], 0.5)


def test_a_table_shows_its_first_rows_and_says_how_many_there_are() -> None:
    page = pages.table_page(["text"], [[f"row {i}"] for i in range(1_200)], 1_200)

    assert page.count("<td") == pages.MOST_ROWS
    assert "The first 8 of 1,200 rows." in page


def test_numbers_that_are_added_are_shortened_and_those_of_the_table_are_not() -> None:
    page = pages.table_page(["id", "score"], [["0.123456789", "[0.123456789, 1.5e-05]"]], 1, added=1)

    assert "<bdi>0.123456789</bdi>" in page
    assert "<bdi>[0.123, 1.5e-05]</bdi>" in page


@pytest.mark.parametrize(
    ("done", "said"),
    [(0, "0 of 1,000 rows answered"), (32, "32 of 1,000 rows answered"), (1_000, "1,000 rows answered")],
)
def test_progress_is_said(done: int, said: str) -> None:
    assert f"<span>{said}</span>" in pages.progress_page(done, 1_000)


def test_the_card_is_linked_where_there_is_one() -> None:
    assert 'href="https://huggingface.co/me/reviews"' in pages.head_page("Reviews", ["topic"], "me/reviews")
    assert "href" not in pages.head_page("Reviews", ["topic"], None)


def test_the_foot_has_the_revision() -> None:
    assert "at revision <code><bdi>abc123</bdi></code>" in pages.foot_page("me/reviews", "abc123")
    assert pages.foot_page(None, None) == '<footer class="mt-foot">local model</footer>'
