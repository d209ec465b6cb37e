"""The answers of a teacher on disk: by text, shared by processes, and of one teacher with one tokenizer."""

from collections.abc import Sequence

import numpy as np
import pytest

from modeling_multitask.inference.shards import Process
from modeling_multitask.runs import cached_source
from modeling_multitask.runs.cached_source import CachedSource, ask_together
from modeling_multitask.texts_multitask import Text

TEXTS = ["a", "bb", "ccc", "dddd", "bb"]


class Lengths:
    """A teacher whose answers are the lengths of the texts, and twice these. It has no answer to an empty text."""

    def __init__(self, digest: str) -> None:
        self.asked: list[Text] = []
        self.cut, self.max_length, self._digest = 0, 3, digest

    def digest(self) -> str:  # noqa: D102
        return self._digest

    def width(self, key: str) -> int:  # noqa: D102
        return 2

    def answers(self, texts: Sequence[Text], keys: Sequence[str]) -> dict[str, np.ndarray]:  # noqa: D102
        self.asked += texts
        self.cut += sum(len(text) > self.max_length for text in texts)
        lengths = np.array([[len(text), 2 * len(text)] if text else [np.nan, np.nan] for text in texts], np.float64)
        return dict.fromkeys(keys, lengths)


@pytest.fixture
def digest(request: pytest.FixtureRequest) -> str:
    """A digest of a teacher that no other test has."""
    return str(request.node.name)


def opened(digest: str) -> tuple[CachedSource, Lengths]:
    source = Lengths(digest)
    return CachedSource(source), source  # type: ignore[arg-type]


def test_a_text_is_asked_once(digest: str) -> None:
    cached, source = opened(digest)

    first, second = cached.answers(TEXTS, ["x"])["x"], cached.answers(["ccc", "eeeee"], ["x"])["x"]

    assert first.tolist() == [[1, 2], [2, 4], [3, 6], [4, 8], [2, 4]]
    assert second.tolist() == [[3, 6], [5, 10]]
    assert source.asked == ["a", "bb", "ccc", "dddd", "eeeee"]
    assert first.dtype == np.float32


def test_a_later_run_reads_the_answers(digest: str) -> None:
    opened(digest)[0].answers(TEXTS, ["x"])

    cached, source = opened(digest)

    assert cached.answers(["bb", ""], ["x"])["x"][0].tolist() == [2, 4]
    assert source.asked == [""]


def test_a_text_without_an_answer_is_asked_once(digest: str) -> None:
    cached, source = opened(digest)

    found = [cached.answers([""], ["x"])["x"] for _ in range(2)]

    assert np.isnan(found).all()
    assert source.asked == [""]


def test_another_key_or_another_teacher_is_asked(digest: str) -> None:
    cached, source = opened(digest)
    cached.answers(["a"], ["x"])
    cached.answers(["a"], ["y"])
    other, another = opened(f"{digest} other")

    other.answers(["a"], ["x"])

    assert (source.asked, another.asked) == (["a", "a"], ["a"])


def test_no_texts_have_no_answers(digest: str) -> None:
    assert opened(digest)[0].answers([], ["x"])["x"].shape == (0, 2)


def test_a_pair_is_another_text_than_its_parts(digest: str) -> None:
    cached, source = opened(digest)

    cached.answers([("a", "b"), "a b", ("a b", "")], ["x"])

    assert len(source.asked) == 3


def test_each_process_asks_about_its_share(digest: str) -> None:
    (first, one), (second, two) = opened(digest), opened(digest)

    def other_process() -> None:
        second.complete(["bb", "dddd"], ["x"])

    ask_together(first, ["x"], TEXTS, name="old", process=Process(0, 2, other_process))

    assert (one.asked, two.asked) == (["a", "ccc"], ["bb", "dddd"])
    assert first.answers(TEXTS, ["x"])["x"][:, 0].tolist() == [1, 2, 3, 4, 2]


def test_without_a_shared_disk_each_process_asks_about_the_rest(digest: str) -> None:
    cached, source = opened(digest)

    ask_together(cached, ["x"], TEXTS, name="old", process=Process(1, 2, lambda: None))

    assert source.asked == ["bb", "dddd", "a", "ccc"]


def test_truncated_texts_are_noted_once(digest: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")

    ask_together(opened(digest)[0], ["x"], [*TEXTS, "fffff"], name="old", process=Process())

    assert [record.message for record in caplog.records] == [
        "The teacher old: 2 texts have more than 3 tokens; it reads only their beginning"
    ]


def test_what_was_asked_before_an_interruption_is_kept(digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_source, "AT_ONCE", 2)
    cached, _ = opened(digest)
    with pytest.raises(TypeError):
        cached.answers(["a", "bb", "ccc", None], ["x"])  # type: ignore[list-item]

    again, source = opened(digest)
    again.answers(["a", "bb", "ccc"], ["x"])

    assert source.asked == ["ccc"]
