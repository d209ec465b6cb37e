"""The cards of an adapter alone, and of the model that it sits on."""

from huggingface_hub import ModelCardData

from datasets_builder.publish import CardSettings

from .card_merge import signed
from .card_words import link

_MARKER = "<!-- generated: summary -->"
_TAGS = ["multi-task", "text-classification"]


def make_adapter_card(repo_id: str, base_id: str, model_id: str | None, settings: CardSettings) -> str:
    """The README of an adapter's repository.

    Args:
        repo_id: Of the adapter.
        base_id: Of the model that it sits on.
        model_id: Of the model in which both are merged, if it is pushed.
        settings: What only its owner knows.
    """
    metadata = ModelCardData(
        library_name="peft",
        base_model=base_id,
        license=settings.license,
        language=settings.language or None,
        tags=["lora", *_TAGS],
    )
    merged = (
        f"\n\n[{model_id}](https://huggingface.co/{model_id}) has both in one, and needs no peft." if model_id else ""
    )
    return signed(
        f"---\n{metadata.to_yaml()}\n---\n\n{_MARKER}\n# {repo_id.rpartition('/')[2]}\n\n"
        f"Low-rank weights and task heads that sit on {link(base_id)}.{merged}\n\n"
        "<!-- generated: use -->\n## Use\n\n"
        "```bash\npip install torch transformers peft\n```\n\n"
        "```python\nfrom peft import AutoPeftModel\nfrom transformers import AutoTokenizer\n\n"
        f'model = AutoPeftModel.from_pretrained("{repo_id}", trust_remote_code=True).eval()\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{repo_id}", trust_remote_code=False)\n'
        'model(**tokenizer(["Any text."], return_tensors="pt")).logits\n```\n'
    )


def make_base_card(repo_id: str, adapter_id: str, settings: CardSettings) -> str:
    """The README of the repository of a model that an adapter sits on.

    Args:
        repo_id: Of that model.
        adapter_id: Of the adapter.
        settings: What only its owner knows.
    """
    metadata = ModelCardData(
        library_name="transformers", license=settings.license, language=settings.language or None, tags=_TAGS
    )
    return signed(
        f"---\n{metadata.to_yaml()}\n---\n\n{_MARKER}\n# {repo_id.rpartition('/')[2]}\n\n"
        f"The encoder as it was, and heads that {link(adapter_id)} replaces. Load that; this alone answers nothing.\n"
    )
