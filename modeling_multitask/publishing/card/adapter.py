"""The cards of an adapter alone, and of the model that it sits on."""

from huggingface_hub import ModelCardData

from ...hub.card_merge import signed
from ...hub.card_settings import CardSettings
from ..links import Links
from .words import link, requirement

_MARKER = "<!-- generated: summary -->"
_TAGS = ["multi-task", "text-classification"]


def make_adapter_card(
    repo_id: str, base_id: str, links: Links, settings: CardSettings, *, base_revision: str | None = None
) -> str:
    """The README of an adapter's repository.

    Args:
        repo_id: Of the adapter.
        base_id: Of the model that it sits on.
        links: What the card points to, the model in which both are merged among it.
        settings: What only its owner knows.
        base_revision: The commit of that model, once that is known.
    """
    metadata = ModelCardData(
        library_name="peft",
        base_model=base_id,
        license=settings.license,
        language=settings.language or None,
        tags=["lora", *_TAGS],
    )
    merged = " The model below has both in one, and needs no peft." if links.model else ""
    packages = " ".join(f'"{requirement(name)}"' for name in ("torch", "transformers", "peft"))
    # Offline, transformers 5.17 finds no tokenizer in a repository that has no config.json, as the adapter's.
    tokenizer = f'"{base_id}", revision="{base_revision or "main"}", trust_remote_code=False'
    return signed(
        f"---\n{metadata.to_yaml()}\n---\n\n{_MARKER}\n# {repo_id.rpartition('/')[2]}\n\n"
        f"Low-rank weights and task heads that sit on {link(base_id)}; `adapter_config.json` pins its commit, so that "
        f"a `revision` is the adapter's own.{merged}\n\n{_list(links, 'adapter')}\n\n"
        "<!-- generated: use -->\n## Use\n\n"
        f"```bash\npip install {packages}\n```\n\n"
        "```python\nfrom peft import AutoPeftModel\nfrom transformers import AutoTokenizer\n\n"
        f'model = AutoPeftModel.from_pretrained("{repo_id}", revision="main", trust_remote_code=True).eval()\n'
        f"tokenizer = AutoTokenizer.from_pretrained({tokenizer})\n"
        'model(**tokenizer(["Any text."], return_tensors="pt")).logits\n```\n'
    )


def make_base_card(repo_id: str, adapter_id: str, links: Links, settings: CardSettings) -> str:
    """The README of the repository of a model that an adapter sits on.

    Args:
        repo_id: Of that model.
        adapter_id: Of the adapter.
        links: What the card points to.
        settings: What only its owner knows.
    """
    metadata = ModelCardData(
        library_name="transformers", license=settings.license, language=settings.language or None, tags=_TAGS
    )
    return signed(
        f"---\n{metadata.to_yaml()}\n---\n\n{_MARKER}\n# {repo_id.rpartition('/')[2]}\n\n"
        f"The encoder as it was, and heads that {link(adapter_id)} replaces. Load that; this alone answers nothing.\n\n"
        f"{_list(links, 'below')}\n"
    )


def _list(links: Links, besides: str) -> str:
    return "\n".join(f"- {each['name']}: {each['link']}" for each in links.lines(besides=besides))
