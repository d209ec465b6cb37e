"""Pushes a trained model to the Hub, with its card, and if wanted its adapter and its demo.

python -m scripts.push runs/quickstart/model me/reviews --license apache-2.0 --space me/reviews-demo
python -m scripts.push runs/quickstart/model me/reviews --license apache-2.0 --space me/reviews-demo --yes
"""

import argparse
import sys
import tempfile
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download

from datasets_builder import DataError
from datasets_builder.card_merge import is_signed
from datasets_builder.upload import Target, check_repo_id, file_lines, look, patiently, stale_files
from modeling_multitask.modeling_multitask import resolve_model_path
from modeling_multitask.publishing.push import owned_by, push
from modeling_multitask.publishing.shipment import make_shipment
from modeling_multitask.publishing.staging import write_all

TEMPLATE = Path(__file__).parents[1] / "model_card.md"


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend."""
    parser = argparse.ArgumentParser(prog="scripts.push", description="Push a trained model to the Hub.")
    parser.add_argument("model", help="a folder, a Hub id, or package:NAME/FOLDER; or the folder of an adapter")
    parser.add_argument("repo", help="what it is to be called on the Hub, such as me/reviews")
    parser.add_argument("--yes", action="store_true", help="do push; without it, only show what would be")
    parser.add_argument("--private", action="store_true", default=None, help="make new repositories private")
    parser.add_argument("--revision", help="the branch to push to")
    parser.add_argument("--create_pr", action="store_true", help="open a pull request instead")
    parser.add_argument("--space", metavar="REPO", help="push a demo as well, as this Space")
    parser.add_argument("--adapter", metavar="REPO", help="push the adapter beside the model as well, as this model")
    parser.add_argument("--dataset", metavar="REPO", help="the data set that it was trained on, which is there already")
    parser.add_argument("--license", help="as the Hub writes it, such as apache-2.0; else the recipe's card says it")
    parser.add_argument("--output", type=Path, help="write all that would be pushed into this folder, to look at it")
    arguments = parser.parse_args(argv)
    try:
        run(arguments)
    except (DataError, OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Checks, shows, and pushes if asked to."""
    check_words(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = local_folder(arguments.model, Path(name) / "downloaded")
        print(f"Looking at {arguments.model}, and loading it in a process without this package ...", flush=True)
        shipment = make_shipment(
            folder,
            Target(
                arguments.repo, private=arguments.private, revision=arguments.revision, create_pr=arguments.create_pr
            ),
            template=TEMPLATE.read_text(encoding="utf-8"),
            license=arguments.license,
            dataset=arguments.dataset,
            space=arguments.space,
            adapter=arguments.adapter,
        )
        for target, written in write_all(shipment, arguments.output or Path(name) / "work"):
            show(target, written, sent=arguments.yes)
        if not arguments.yes:
            print("\nNothing was pushed; add --yes to do so.")
            return
        for pushed in push(HfApi(), shipment, Path(name) / "sent"):
            print(f"Pushed to {pushed.address}, commit {pushed.commit}")
        if arguments.space and arguments.private:
            print("The Space needs a token that may read the model: add it to its settings as the secret HF_TOKEN.")


def check_words(arguments: argparse.Namespace) -> None:
    """Refuses names that no repository can have, and words that do not go together."""
    for kind, name in (("model", arguments.repo), ("Space", arguments.space), ("model", arguments.adapter)):
        if name is not None:
            check_repo_id(name, kind)
    if arguments.dataset is not None:
        check_repo_id(arguments.dataset)
    if arguments.create_pr and (arguments.revision or arguments.space or arguments.adapter):
        raise ValueError("--create_pr is for the model and its main branch alone; leave the other out")
    if arguments.output is not None and arguments.output.exists():
        raise FileExistsError(f"{arguments.output} exists already; name another folder")


def local_folder(model: str, download: Path) -> Path:
    """The folder of a model; that of the Hub is downloaded."""
    path = Path(resolve_model_path(model))
    return path if path.is_dir() else Path(patiently(lambda: snapshot_download(model, local_dir=download), HfApi()))


def show(target: Target, folder: Path, *, sent: bool) -> None:
    """Prints what goes where, and what becomes of what is there."""
    kind = {"space": "Space"}.get(target.repo_type, target.repo_type)
    print(f"\n{'To' if sent else 'Would go to'} the {kind} {target.repo_id}:")
    print(*file_lines(folder), sep="\n")
    try:
        there = patiently(lambda: look(HfApi(), target), HfApi(), attempts=2)
    except OSError as error:
        print(f"  What is there already cannot be told: {str(error).splitlines()[0]}")
        return
    if there is None:
        return
    for name in stale_files(folder, there, owned_by(target)):
        print(f"  {'deleted':>18}  {name}")
    if there.card is not None and not is_signed(there.card) and target.repo_type == "model":
        print("  Its README.md was written by hand: its text stays, and only its metadata get what they lack.")


if __name__ == "__main__":
    sys.exit(main())
