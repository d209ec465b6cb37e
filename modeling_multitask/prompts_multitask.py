"""The prompts of an encoder: texts before each text, such as `query: `, as in sentence-transformers."""

from transformers import PreTrainedTokenizerBase

from .words_multitask import nearest_hint

OWN = "default"  # the name of a prompt that is given as a text


def chosen_prompt(
    prompts: dict[str, str], prompt_name: str | None = None, prompt: str | None = None
) -> tuple[dict[str, str], str | None]:
    """Return the prompts with a chosen one, and its name. The name is `None` for an empty prompt.

    Args:
        prompts: The prompts of the encoder by name.
        prompt_name: The name of one of them.
        prompt: A text, instead of a name.

    Raises:
        ValueError: If both are given, or there is no prompt of this name.
    """
    if prompt is not None and prompt_name is not None:
        raise ValueError(f"prompt_name is {prompt_name!r} and prompt is {prompt!r}; give only one of them")
    if prompt is not None:
        return ({**prompts, OWN: prompt}, OWN) if prompt else (prompts, None)
    if prompt_name not in prompts:
        names = ", ".join(sorted(prompts))
        there = f"its prompts are {names}" if prompts else "it has no prompts; give the text as prompt"
        raise ValueError(
            f"prompt_name is {prompt_name!r}, which is not a prompt of this encoder; {there}"
            f"{nearest_hint(str(prompt_name), list(prompts))}"
        )
    return prompts, prompt_name


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, prompt: str) -> int:
    """Return the number of tokens at the start of a text that belong to a prompt, with special ones before it."""
    if not prompt:
        return 0
    ids = tokenizer(prompt)["input_ids"]
    return len(ids) - (ids[-1] in tokenizer.all_special_ids)
