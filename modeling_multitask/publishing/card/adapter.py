"""Cards for an adapter and for its base model."""

from huggingface_hub import ModelCardData

from ...hub.card_merge import signed
from ...hub.card_settings import CardSettings
from ..links import Links
from .words import link, requirement

_MARKER = "<!-- generated: summary -->"
_TAGS = ["multi-task", "text-classification"]


def make_adapter_card(
    repo_id: str,
    base_id: str,
    links: Links,
    settings: CardSettings,
    *,
    base_revision: str | None = None,
    prompt: str = "",
) -> str:
    """Return the README of an adapter's repository.

    Args:
        repo_id: Repository of the adapter.
        base_id: Repository of its base model.
        links: Repositories that the card links to, including the model with the merged adapter.
        settings: Card settings from the owner.
        base_revision: Commit of the base model, if known.
        prompt: The text that the base model puts before each text.
    """
    metadata = ModelCardData(
        library_name="peft",
        base_model=base_id,
        license=settings.license,
        language=settings.language or None,
        tags=["lora", *_TAGS],
    )
    merged = " The model below has the adapter merged into it and does not need peft." if links.model else ""
    packages = " ".join(f'"{requirement(name)}"' for name in ("torch", "transformers", "peft"))
    # Offline, transformers 5.17 finds no tokenizer in a repository without config.json, such as the adapter's.
    tokenizer = f'"{base_id}", revision="{base_revision or "main"}", config=model.config'
    start = "model.config.prompt + " if prompt else ""
    return signed(
        f"---\n{metadata.to_yaml()}\n---\n\n{_MARKER}\n# {repo_id.rpartition('/')[2]}\n\n"
        f"This adapter contains low-rank weights and task heads for the base model {link(base_id)}. "
        f"`adapter_config.json` pins the commit of the base model, so `revision` is a revision of the adapter.{merged}"
        f"\n\n{_list(links, 'adapter')}\n\n"
        "<!-- generated: use -->\n## Usage\n\n"
        f"```bash\npip install {packages}\n```\n\n"
        "```python\nfrom peft import AutoPeftModel\nfrom transformers import AutoTokenizer\n\n"
        f'model = AutoPeftModel.from_pretrained("{repo_id}", revision="main", trust_remote_code=True).eval()\n'
        f"tokenizer = AutoTokenizer.from_pretrained({tokenizer})\n"
        f'model(**tokenizer([{start}"Any text."], return_tensors="pt")).logits\n```\n'
    )


def make_base_card(repo_id: str, adapter_id: str, links: Links, settings: CardSettings) -> str:
    """Return the README of the repository of an adapter's base model.

    Args:
        repo_id: Repository of the base model.
        adapter_id: Repository of the adapter.
        links: Repositories that the card links to.
        settings: Card settings from the owner.
    """
    metadata = ModelCardData(
        library_name="transformers", license=settings.license, language=settings.language or None, tags=_TAGS
    )
    return signed(
        f"---\n{metadata.to_yaml()}\n---\n\n{_MARKER}\n# {repo_id.rpartition('/')[2]}\n\n"
        f"The base model of the adapter {link(adapter_id)}: the encoder before training, with task heads that the "
        "adapter replaces. Load the adapter instead. This model alone gives no useful answers.\n\n"
        f"{_list(links, 'below')}\n"
    )


def _list(links: Links, besides: str) -> str:
    return "\n".join(f"- {each['name']}: {each['link']}" for each in links.lines(besides=besides))
