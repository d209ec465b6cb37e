"""The wheel and the sdist contain everything that the commands need, and work without the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from modeling_multitask import __version__
from tests.checkout import ROOT, copy_checkout
from tests.conftest import needs_minilm

IGNORED = {"__pycache__", "_build", ".hypothesis"}
PACKAGES = ("modeling_multitask", "datasets_builder")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist of this checkout and a wheel built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    build("build_sdist", copy_checkout(folder / "checkout"), folder)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as sdist:
        sdist.extractall(folder / "sdist", filter="data")
    build("build_wheel", next((folder / "sdist").iterdir()), folder)
    return folder


def build(what: str, sources: Path, folder: Path) -> None:
    """Build a distribution in the same way as pip."""
    subprocess.run([sys.executable, "-c", BUILD, what, folder], cwd=sources, check=True, capture_output=True)


@pytest.fixture(scope="module")
def wheel(built: Path) -> set[str]:
    """The file names in the wheel."""
    return set(zipfile.ZipFile(next(built.glob("*.whl"))).namelist())


@pytest.fixture(scope="module")
def sdist(built: Path) -> set[str]:
    """The file names in the sdist."""
    (folder,) = (built / "sdist").iterdir()
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and with the other packages of this environment."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    packages = next(environment.glob("lib/python*/site-packages"))
    # Only the folder is added. The editable install of this checkout is a .pth file in it, which is then not read.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    zipfile.ZipFile(next(built.glob("*.whl"))).extractall(packages)
    return environment / "bin" / "python"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's folder with modules that have the same names as those of this checkout."""
    for name in ("scripts", "tests", "datasets_builder_tables"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('this is the user\\'s')\n")
    (tmp_path / "configuration.py").write_text("raise ImportError('this is the user\\'s')\n")
    return tmp_path


def run(python: Path, project: Path, *words: str) -> str:
    """Return the output of a command."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(
        [python, "-m", "modeling_multitask", *words],
        cwd=project,
        env={**environment, "HF_HOME": str(project / "hf")},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.slow
def test_the_wheel_holds_exactly_the_modules_of_the_packages(wheel: set[str]) -> None:
    sources = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}

    assert {name for name in wheel if name.endswith(".py")} == sources


@pytest.mark.slow
@pytest.mark.parametrize("folder", [".ci", "benchmarks", "configuration", "docs", "scripts", "tests"])
def test_the_sdist_contains_the_folders_of_the_checkout(sdist: set[str], folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and not IGNORED & set(path.parts)]

    assert {path.relative_to(ROOT).as_posix() for path in files} <= sdist


@pytest.mark.slow
def test_the_sdist_contains_the_pages_that_the_readme_names(sdist: set[str]) -> None:
    pages = {path.name for path in ROOT.iterdir() if path.suffix in (".md", ".cff", ".txt")}

    assert {"README.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff"} <= pages
    assert {*pages, "LICENSE"} <= sdist


@pytest.mark.slow
def test_wheel_and_citation_have_the_version_of_the_package(built: Path) -> None:
    assert [path.name.split("-")[1] for path in built.glob("*.whl")] == [__version__]
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.slow
def test_the_wheel_says_that_it_is_typed(wheel: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= wheel


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["modeling_multitask/evaluation/templates", "modeling_multitask/publishing/demo"])
def test_the_wheel_brings_templates_and_styles(wheel: set[str], folder: str) -> None:
    expected = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / folder).iterdir() if path.suffix in (".jinja", ".css")
    }

    assert expected
    assert expected <= wheel


@pytest.mark.slow
def test_the_wheel_brings_the_bundled_recipes_their_data_the_launch_files_and_the_cards_template(
    wheel: set[str],
) -> None:
    files = [path for path in (ROOT / "configuration").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {f"modeling_multitask/{path.relative_to(ROOT).as_posix()}" for path in [*files, ROOT / "model_card.md"]}

    assert expected <= wheel
    assert {name for name in wheel if name.startswith(("configuration", "scripts", "tests"))} == set()


@pytest.mark.slow
@needs_minilm
def test_an_installed_command_trains_a_bundled_recipe_in_any_folder(installed: Path, project: Path) -> None:
    assert "Domain and sentiment" in run(installed, project, "recipes")

    printed = run(installed, project, "train", "quickstart", "training.max_steps=2")

    assert "The model is in runs/quickstart/model" in printed
    run(installed, project, "predict", "runs/quickstart/model", str(reviews(project)), "answers.csv")
    assert (project / "answers.csv").read_text().startswith("text,domain,domain_score")
    printed = run(installed, project, "push", "runs/quickstart/model", "me/reviews", "--license", "apache-2.0")
    assert "README.md" in printed


def reviews(folder: Path) -> Path:
    """A user's table."""
    (folder / "mine.csv").write_text("text\nGreat soup.\n")
    return folder / "mine.csv"


@pytest.mark.long
@needs_minilm
def test_a_study_of_an_installed_package_runs_in_a_folder_with_modules_of_the_same_names(
    installed: Path, project: Path
) -> None:
    words = ("--seeds", "0", "--only", "everything_frozen", "quickstart", "output_dir=study", "training.max_steps=2")

    assert "The study is in study" in run(installed, project, "study", *words)


@pytest.mark.long
@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_every_command_works_from_an_empty_environment(built: Path, project: Path, pattern: str) -> None:
    environment = project / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    extras = "[quickstart,demo,errors,onnx,openvino]"
    given = f"{next(built.glob(pattern))}{extras}"
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", given], check=True)

    assert shutil.which("multitask", path=str(environment / "bin"))
    for words in COMMANDS:
        run(python, project, *words.split())


COMMANDS = (
    "recipes",
    "schema",
    "env",
    "recipes copy quickstart mine",
    "data quickstart",
    "train quickstart training.num_train_epochs=1",
    "train mine/quickstart.yaml --dry_run",
    "predict runs/quickstart/model mine/data/reviews.csv answers.csv --prefix given_",
    "report runs/quickstart/model quickstart --output report --label_issues",
    "similarity runs/quickstart/model mine/data/reviews.csv --nearest soup --output nearest.csv",
    "export runs/quickstart/model runs/quickstart/model/onnx --format onnx --int8",
    "export runs/quickstart/model runs/quickstart/model/openvino --format openvino --int8",
    "predict runs/quickstart/model mine/data/reviews.csv answers2.csv --prefix given_ --backend onnx",
    "push runs/quickstart/model me/reviews --license apache-2.0 --space me/demo --output staged",
    "study --seeds 0 --only everything_frozen lora quickstart training.max_steps=2",
)
