"""The cached outputs of frozen layers for a text."""

from modeling_multitask.training.prefix.states import text_key


def test_two_windows_are_told_from_one_with_a_token_between_them() -> None:
    # P81: 9 is how many letters `input_ids` has.
    assert text_key({"input_ids": [[1, 2], [3, 4]]}) != text_key({"input_ids": [[1, 2, 9, 3, 4]]})


def test_the_same_tokens_have_the_same_key() -> None:
    assert text_key({"input_ids": [[1, 2]]}) == text_key({"input_ids": [[1, 2]]})
