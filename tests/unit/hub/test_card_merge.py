"""A push replaces the generated sections of a card, and keeps text that people have written or changed."""

from collections import Counter
from typing import Any

import pytest
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_multitask.hub.card_merge import lower_headings, merge_cards, signed
from tests.hub_server.cards import metadata, problems

RESULT = {
    "task": {"type": "text-classification", "name": "topic"},
    "dataset": {"name": "Reviews", "type": "me/data", "config": "topic"},
}


def result(value: float, **dataset: str) -> dict[str, Any]:
    """A result of 'model-index'."""
    return {
        "task": RESULT["task"],
        "dataset": {**RESULT["dataset"], **dataset},
        "metrics": [{"type": "f1", "value": value}],
    }


def generated(results: str = "0.8", *, more: str = "", licence: str = "mit", value: float = 0.8) -> str:
    """A card of three sections, one of which says the results; and of some more."""
    return signed(
        f"---\nlicense: {licence}\ntags: [multi-task]\nmodel-index:\n- name: m\n  results: [{result(value)}]\n---\n"
        "<!-- generated: summary -->\n# Reviews\n\nA model.\n\n"
        f"<!-- generated: results -->\n## Results\n\n{results}\n\n```python\n# no heading\n```\n\n{more}"
        "<!-- generated: licence -->\n## Licence\n\nFree.\n"
    )


def test_an_untouched_card_becomes_the_new_one() -> None:
    assert merge_cards(generated("0.8"), generated("0.9", licence="gpl-3.0", value=0.9)) == generated(
        "0.9", licence="gpl-3.0", value=0.9
    )


def test_an_edited_section_stays_and_the_others_are_replaced() -> None:
    edited = generated("0.8").replace("Free.", "Ask me.")

    merged = merge_cards(edited, generated("0.9"))

    assert "Ask me." in merged
    assert "Free." not in merged
    assert "0.9" in merged


def test_an_edited_section_stays_through_any_number_of_pushes() -> None:
    merged = generated("0.8").replace("Free.", "Ask me.")
    for results in ("0.81", "0.82", "0.83"):
        merged = merge_cards(merged, generated(results))

    assert merged == generated("0.83").replace("Free.", "Ask me.")


def test_a_section_that_is_edited_back_is_generated_again() -> None:
    edited = generated("0.8").replace("Free.", "Ask me.")
    back = merge_cards(edited, generated("0.9")).replace("Ask me.", "Free.")

    assert merge_cards(back, generated("0.95")) == generated("0.95")


def test_a_section_that_somebody_added_stays_where_it_was() -> None:
    added = "## My notes\n\nSee [the paper](https://example.com).\n\n```bash\n# no heading\n```"
    edited = generated("0.8").replace("<!-- generated: licence", f"{added}\n\n<!-- generated: licence")

    merged = merge_cards(edited, generated("0.9"))

    assert merged == generated("0.9").replace("<!-- generated: licence", f"{added}\n\n<!-- generated: licence")


def test_what_stands_above_all_sections_stays_there() -> None:
    edited = generated("0.8").replace(
        "<!-- generated: summary", "Look at my **other** model.\n\n<!-- generated: summary"
    )

    merged = merge_cards(edited, generated("0.9"))

    assert merged.index("Look at my **other** model.") < merged.index("# Reviews")
    assert "0.9" in merged


def test_what_stands_above_all_sections_stays_there_though_the_first_was_taken_out() -> None:
    old = generated("0.8")
    taken_out = old[: old.index("<!-- generated: summary")] + "Mine.\n\n" + old[old.index("<!-- generated: results") :]

    merged = merge_cards(taken_out, generated("0.9"))

    assert merged.index("Mine.") < merged.index("# Reviews") < merged.index("## Results")
    assert merge_cards(merged, generated("0.9")) == merged


def test_a_new_section_comes_behind_the_one_it_follows() -> None:
    limits = "<!-- generated: limits -->\n## Limits\n\nMany.\n\n"

    assert merge_cards(generated(), generated(more=limits)) == generated(more=limits)


def test_a_section_that_is_no_longer_generated_goes() -> None:
    limits = "<!-- generated: limits -->\n## Limits\n\nMany.\n\n"

    assert merge_cards(generated(more=limits), generated()) == generated()


def test_a_section_that_was_taken_out_comes_back() -> None:
    old = generated("0.8")

    assert merge_cards(old[: old.index("<!-- generated: licence")], generated("0.9")) == generated("0.9")


def test_a_section_of_which_only_the_heading_is_left_stays_so() -> None:
    old = generated("0.8")
    without = old[: old.index("<!-- generated: licence")] + "## Licence\n\nMine.\n"

    merged = merge_cards(without, generated("0.9"))

    assert merged.count("## Licence") == 1
    assert merged.endswith("## Licence\n\nMine.\n")


def test_ends_of_lines_and_blanks_that_an_editor_changes_are_no_edit() -> None:
    changed = "\ufeff" + generated("0.8").replace("Free.", "Free.   ").replace("\n", "\r\n") + "\r\n\r\n"

    assert merge_cards(changed, generated("0.9")) == generated("0.9")


def test_a_block_that_is_not_closed_does_not_swallow_the_next_section() -> None:
    edited = generated("0.8").replace("0.8\n\n```python\n# no heading\n```", "~~~text\n0.8\n\n")

    merged = merge_cards(edited, generated("0.9"))

    assert "~~~text\n0.8\n~~~\n\n<!-- generated: licence" in merged
    assert merge_cards(merged, generated("0.9")) == merged


def test_a_card_that_was_never_generated_keeps_its_text_and_gets_what_its_metadata_lacks() -> None:
    theirs = "---\nlicense: gpl-3.0\nlanguage: no\n---\n\n# Mine\n\nWritten by hand.\n\n## Results\n\nGood.\n"

    merged = merge_cards(theirs, generated())

    assert merged.split("---\n", maxsplit=2)[2] == "\n# Mine\n\nWritten by hand.\n\n## Results\n\nGood.\n"
    expected = {"license": "gpl-3.0", "language": "no", "tags": ["multi-task"]}
    assert {name: metadata(merged)[name] for name in expected} == expected
    assert metadata(merged)["model-index"] == [{"name": "m", "results": [result(0.8)]}]


def test_the_results_of_a_card_that_was_never_generated_are_kept_up_to_date() -> None:
    first = merge_cards("# Mine\n", generated(value=0.8))

    second = merge_cards(first, generated(value=0.9))

    assert metadata(second)["model-index"] == [{"name": "m", "results": [result(0.9)]}]


@pytest.mark.parametrize("theirs", ["", "---\nlicense: gpl-3.0\n---\n", "---\nlicense: gpl-3.0\n---\n\n \n"])
def test_a_card_without_text_gets_all_of_it(theirs: str) -> None:
    # The card that the Hub creates when a licence is chosen for a new repository.
    merged = merge_cards(theirs, generated())

    assert "# Reviews" in merged
    assert metadata(merged)["license"] == ("gpl-3.0" if theirs else "mit")


def test_metadata_that_was_changed_or_added_stays() -> None:
    edited = generated().replace("license: mit", "license: gpl-3.0\nthumbnail: https://example.com/x.png")

    merged = metadata(merge_cards(edited, generated(licence="apache-2.0")))

    assert (merged["license"], merged["thumbnail"]) == ("gpl-3.0", "https://example.com/x.png")
    assert merged["tags"] == ["multi-task"]


def test_tags_that_were_added_stay() -> None:
    edited = generated().replace("- multi-task", "- multi-task\n- reviews")

    assert metadata(merge_cards(edited, generated()))["tags"] == ["multi-task", "reviews"]


def test_metadata_that_was_taken_out_stays_out() -> None:
    edited = generated().replace("license: mit\n", "")
    once = merge_cards(edited, generated(licence="apache-2.0"))

    assert "license" not in metadata(once)
    assert "license" not in metadata(merge_cards(once, generated(licence="apache-2.0")))


def test_metadata_that_is_no_longer_generated_goes() -> None:
    without = signed("---\nlicense: mit\n---\n<!-- generated: summary -->\n# Reviews\n")

    assert metadata(merge_cards(generated(), without)) == {"license": "mit"}


def test_results_that_somebody_added_stay_beside_ours() -> None:
    added = {"task": {"type": "text-classification"}, "dataset": {"name": "IMDb", "type": "imdb"}, "metrics": [
        {"type": "accuracy", "value": 0.7}
    ]}  # fmt: skip
    card = ModelCard(generated(value=0.8))
    edited = generated(value=0.8).replace("  results:\n", f"  results:\n  - {added}\n")
    assert edited != str(card)

    merged = merge_cards(edited, generated(value=0.9))

    assert metadata(merged)["model-index"] == [{"name": "m", "results": [result(0.9), added]}]
    assert problems(merged) == []
    assert merge_cards(merged, generated(value=0.9)) == merged


@pytest.mark.parametrize("theirs", ["soon", "[soon]", "[{name: m}]"])
def test_results_that_cannot_be_read_are_replaced(theirs: str) -> None:
    merged = merge_cards(f"---\nmodel-index: {theirs}\n---\n# Mine\n", generated(value=0.9))

    assert metadata(merged)["model-index"] == [{"name": "m", "results": [result(0.9)]}]


def test_metadata_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"the metadata of the existing card is not valid YAML \(.*\); fix its README.md"
    ):
        merge_cards("---\nlicense: [\n---\n# Mine\n", generated())


def test_metadata_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match=r"existing card must be a mapping, not str; fix its README.md"):
        merge_cards("---\njust words\n---\n# Mine\n", generated())


def test_headings_are_lowered_but_not_those_in_code() -> None:
    text = "# A\n\n```python\n# no heading\n```\n\n##  B\n### C\n#tag"

    assert lower_headings(text) == "### A\n\n```python\n# no heading\n```\n\n### B\n### C\n#tag"


LINES = st.sampled_from(
    ["", "words", "## Results", "## Mine", "# Reviews", "### small", "```", "~~~", "    # code", "- a", "---", "<b>"]
)
TEXTS = st.lists(LINES, max_size=6).map("\n".join)
NAMES = ("summary", "results", "limits", "licence")
KEYS = ("license", "tags", "thumbnail")
METADATA = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["mit", "no", "1e5", "gpl"]), min_size=1)


def card_of(sections: dict[str, str], keys: dict[str, str]) -> str:
    body = "\n\n".join(f"<!-- generated: {name} -->\n## {name.title()}\n{text}" for name, text in sections.items())
    return signed("---\n" + "".join(f"{name}: '{value}'\n" for name, value in keys.items()) + f"---\n{body}\n")


WORDS = st.sampled_from(["0.8", "0.9", "Free.\n\n### More\n\nWords.", "```python\n# no heading\n```"])
CARDS = st.builds(card_of, st.dictionaries(st.sampled_from(NAMES), WORDS, min_size=1), METADATA)


@st.composite
def edited_cards(draw: st.DrawFn) -> tuple[str, str]:
    """A generated card into which somebody has written, and all that was written."""
    head, *parts = draw(CARDS).split("<!-- generated: ")
    edits = [draw(st.sampled_from(["nothing", "append", "replace", "take out"])) for _ in parts[1:]]
    texts = [draw(TEXTS) if edit in ("append", "replace") else "" for edit in edits]
    changed = [_edited(part, edit, text) for part, edit, text in zip(parts[1:], edits, texts, strict=True)]
    return "<!-- generated: ".join([head, parts[0], *filter(None, changed)]), "\n".join(texts)


def _edited(part: str, edit: str, text: str) -> str:
    marker = part.split("\n", maxsplit=1)[0]
    edited = {"nothing": part, "append": f"{part}\n{text}\n\n", "replace": f"{marker}\n{text}\n\n"}
    return edited.get(edit, "")


@settings(max_examples=50, deadline=None)
@given(edited=edited_cards(), new=CARDS)
def test_what_somebody_wrote_is_always_in_the_card(edited: tuple[str, str], new: str) -> None:
    card, written = edited

    lines = Counter(line for line in written.split("\n") if line.strip())

    assert lines <= Counter(merge_cards(card, new).split("\n"))


@settings(max_examples=50, deadline=None)
@given(edited=edited_cards(), new=CARDS)
def test_merging_twice_is_merging_once(edited: tuple[str, str], new: str) -> None:
    once = merge_cards(edited[0], new)

    assert merge_cards(once, new) == once


@settings(max_examples=50, deadline=None)
@given(theirs=st.builds("{}\n{}".format, st.sampled_from(["", "---\nlicense: mit\n---"]), TEXTS), new=CARDS)
def test_merging_twice_is_merging_once_where_all_is_written_by_hand(theirs: str, new: str) -> None:
    try:
        once = merge_cards(theirs, new)
    except ValueError:  # two lines of `---` with something between them that is no metadata
        return

    assert merge_cards(once, new) == once
