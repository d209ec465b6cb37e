"""The repository of a Space with the demo of a model."""

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
REQUIREMENTS = ("gradio>=6.31", "torch>=2.13", "transformers>=5.17")  # the tested lower bounds of setup.cfg
MOST_ROWS = 1_000  # of a table; a free Space has only two slow cores
DESCRIPTION = "Answers to every task, with the important words"  # at most 60 characters on the Hub


def write_space(
    folder: str | Path,
    *,
    links: Links,
    revision: str,
    title: str,
    license: str | None = None,  # noqa: A002
    examples: Sequence[str] | None = None,
) -> None:
    """Write the files of a Space's repository: the app, its settings, its requirements and a card.

    Args:
        folder: Output folder. It is created if needed.
        links: Names of the Space and its model, and the other repositories that the card links to.
        revision: Commit of the model that the Space loads. Its code is the code that was checked.
        title: Display name of the model.
        license: License identifier of the Hub, such as `apache-2.0`.
        examples: Example sentences. By default those of the demo.

    Raises:
        ValueError: If the links contain no Space or no model.
    """
    if links.space is None or links.model is None:
        raise ValueError("a Space needs a name and a model; set both in the links")
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
        "This demo shows the answer to every task for a sentence and highlights the important words. It also compares "
        "two sentences, and answers every row of a CSV file. `settings.json` sets the revision of the model.",
        "\n".join(f"- {each['name']}: {each['link']}" for each in links.lines(besides="space")),
        f"Run the demo on your machine:\n\n```bash\n{home}\n```",
    ]
    return signed(str(SpaceCard("\n\n".join(parts) + "\n")))
