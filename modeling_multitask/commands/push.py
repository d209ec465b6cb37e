"""Push a trained model to the Hub, with its card and optionally its adapter and a demo.

multitask push runs/quickstart/model me/reviews --license apache-2.0 --space me/reviews-demo
multitask push runs/quickstart/model me/reviews --license apache-2.0 --space me/reviews-demo --yes
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..shipped import shipped
from ..wording import first_line
from .arguments import Parser
from .command import command

if TYPE_CHECKING:
    from ..hub.upload import Target


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "push",
        "MODEL REPO [--yes] [--license L] [--dataset REPO] [--space REPO] [--adapter REPO] [--private] [--revision R] "
        "[--create_pr] [--output DIR]",
        "Push a trained model to the Hub, with its card.",
    )
    parser.add_positional(
        "model", help="the model: a folder, a Hub id, or package:NAME/FOLDER; or the folder of an adapter"
    )
    parser.add_positional("repo", help="the repository on the Hub, such as me/reviews")
    parser.add_argument("--yes", action="store_true", help="push; without --yes, only list the files to push")
    parser.add_argument("--private", action="store_true", default=None, help="create new repositories as private")
    parser.add_argument("--revision", metavar="R", help="the branch to push to")
    parser.add_argument("--create_pr", action="store_true", help="open a pull request instead of pushing directly")
    parser.add_argument("--space", metavar="REPO", help="also push a demo to this Space")
    parser.add_argument(
        "--adapter",
        metavar="REPO",
        help="also push the adapter to this model repository, and its base model to the same name with -base",
    )
    parser.add_argument("--dataset", metavar="REPO", help="the data set on the Hub that the model was trained on")
    parser.add_argument(
        "--license", metavar="L", help="the licence, such as apache-2.0 (default: that of the recipe's card)"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="also write the files to push into this new folder")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Check the model, list the files, and push them if requested."""
    from huggingface_hub import HfApi

    from ..hub.upload import Target
    from ..publishing.push import push
    from ..publishing.shipment import make_shipment
    from ..publishing.staging import write_all

    check_words(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = local_folder(arguments.model, Path(name) / "downloaded")
        print(f"Checking {arguments.model} and loading it in a process without this package ...", flush=True)
        shipment = make_shipment(
            folder,
            Target(
                arguments.repo, private=arguments.private, revision=arguments.revision, create_pr=arguments.create_pr
            ),
            template=shipped("model_card.md").read_text(encoding="utf-8"),
            license=arguments.license,
            dataset=arguments.dataset,
            space=arguments.space,
            adapter=arguments.adapter,
        )
        for target, written in write_all(shipment, arguments.output or Path(name) / "work"):
            show_target(target, written, sent=arguments.yes)
        if not arguments.yes:
            print("\nNothing was pushed; add --yes to push.")
            return
        for pushed in push(HfApi(), shipment, Path(name) / "sent"):
            print(f"Pushed to {pushed.address}, commit {pushed.commit}")
        if arguments.space and arguments.private:
            print(
                "The model is private: in the settings of the Space, add the secret HF_TOKEN, "
                "a token that can read the model."
            )


def check_words(arguments: argparse.Namespace) -> None:
    """Raise a `ValueError` for invalid repository names and for options that exclude each other."""
    from ..hub.upload import check_repo_id

    for kind, name in (("model", arguments.repo), ("Space", arguments.space), ("model", arguments.adapter)):
        if name is not None:
            check_repo_id(name, kind)
    if arguments.dataset is not None:
        check_repo_id(arguments.dataset)
    if arguments.create_pr and (arguments.revision or arguments.space or arguments.adapter):
        raise ValueError("--create_pr cannot be combined with --revision, --space or --adapter; leave one of them out")
    if arguments.output is not None and arguments.output.exists():
        raise FileExistsError(f"{arguments.output} already exists; choose another folder for --output")


def local_folder(model: str, download: Path) -> Path:
    """Return the folder of a model. A model on the Hub is downloaded."""
    from huggingface_hub import HfApi, snapshot_download

    from ..hub.upload import patiently
    from ..inference.loading import model_hint
    from ..paths_multitask import resolve_model_path

    path = Path(resolve_model_path(model))
    if path.is_dir() and not (path / "config.json").is_file() and (hint := model_hint(model, path)):
        raise FileNotFoundError(f"{model}: not a model{hint}")
    if path.is_dir():
        return path
    try:
        return Path(patiently(lambda: snapshot_download(model, local_dir=download), HfApi()))
    except ConnectionError:
        raise
    except OSError as error:
        raise FileNotFoundError(
            f"{model}: not a local folder, and not found on the Hub ({first_line(error)})"
        ) from error


def show_target(target: Target, folder: Path, *, sent: bool) -> None:
    """Print the files for a repository, and the changes to files that it already has."""
    from huggingface_hub import HfApi

    from ..hub.card_merge import is_signed
    from ..hub.upload import file_lines, look, patiently, stale_files
    from ..publishing.push import owned_by

    kind = {"space": "Space"}.get(target.repo_type, target.repo_type)
    print(f"\n{'Pushing' if sent else 'Would push'} to the {kind} {target.repo_id}:")
    print(*file_lines(folder), sep="\n")
    try:
        there = patiently(lambda: look(HfApi(), target), HfApi(), attempts=2)
    except OSError as error:
        print(f"  The current content of the repository is unknown: {first_line(error)}")
        return
    if there is None:
        return
    for name in stale_files(folder, there, owned_by(target)):
        print(f"  {'deleted':>18}  {name}")
    if there.card is not None and not is_signed(there.card) and target.repo_type == "model":
        print("  Its README.md was written by hand: the text is kept, and only missing metadata are added.")


main = command(
    build_parser, run, lambda _: "Only the repositories listed as pushed have changed. The same command continues."
)
