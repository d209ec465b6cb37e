"""The repository of a Space: the demo of a model on the Hub."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import SpaceCard, SpaceCardData

from ..hub.card_merge import signed
from .card.words import HUB, plain
from .links import Links

APP = Path(__file__).with_name("demo")
SDK_VERSION = "6.31.0"  # of Gradio
PYTHON_VERSION = "3.11"
REQUIREMENTS = ("gradio>=6.31", "torch>=2.13", "transformers>=5.17")  # the bounds of setup.cfg, which are tested
MOST_ROWS = 1_000  # of a table; a free Space has two slow cores
DESCRIPTION = "Every task's answer, and the words that mattered"  # the Hub takes 60 letters


def write_space(
    folder: str | Path,
    *,
    links: Links,
    revision: str,
    title: str,
    license: str | None = None,  # noqa: A002
    examples: Sequence[str] | None = None,
) -> None:
    """Writes all that a Space's repository holds: the app, which model it loads, what it needs, and a card.

    Args:
        folder: Made if it is not there.
        links: What the Space will be called, which model it shows, and what else its card points to.
        revision: Of the model; a commit, whose code is what was tried.
        title: Of the model, for people.
        license: As the Hub writes it, such as `apache-2.0`.
        examples: Sentences to choose from; the demo's own if left out.

    Raises:
        ValueError: If the links name no Space, or no model.
    """
    if links.space is None or links.model is None:
        raise ValueError("a Space needs a name, and a model to show")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*APP.glob("*.py"), *APP.glob("*.css")]:
        shutil.copyfile(path, folder / path.name)
    settings = {"title": title, "model_id": links.model, "revision": revision, "most_rows": MOST_ROWS}
    if examples:
        settings["examples"] = list(examples)
    files = {
        "settings.json": json.dumps(settings, indent=2, ensure_ascii=False) + "\n",
        "requirements.txt": "".join(f"{each}\n" for each in REQUIREMENTS),
        "README.md": _card(links.space, links.model, title, license, links),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _card(space_id: str, model_id: str, title: str, license_name: str | None, links: Links) -> str:
    data = SpaceCardData(
        title=title,
        emoji="🔎",
        colorFrom="blue",
        colorTo="indigo",
        sdk="gradio",
        sdk_version=SDK_VERSION,
        python_version=PYTHON_VERSION,
        app_file="app.py",
        models=[model_id],
        datasets=[links.dataset] if links.dataset else None,
        license=license_name,
        short_description=DESCRIPTION,
        pinned=False,
    )
    home = f"git clone {HUB}/spaces/{space_id} demo && cd demo\npip install -r requirements.txt\npython app.py"
    parts = [
        f"---\n{data.to_yaml()}\n---",
        f"<!-- generated: summary -->\n# {plain(title)}",
        f"{DESCRIPTION}; two sentences compared; a table answered row by row. The model is of the revision that "
        "`settings.json` names.",
        "\n".join(f"- {each['name']}: {each['link']}" for each in links.lines(besides="space")),
        f"At home:\n\n```bash\n{home}\n```",
    ]
    return signed(str(SpaceCard("\n\n".join(parts) + "\n")))
