"""A data set for the Hub: rows that load everywhere, a card, and a script that rebuilds it."""

import runpy
import shutil
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow.parquet as pq
import pytest
from datasets import DatasetDict, load_dataset
from huggingface_hub import DatasetCard, HfApi
from markdown_it import MarkdownIt

from datasets_builder import DataError, Join, LabelColumn, MultiTaskBuilder, Source
from datasets_builder.look import look_at
from modeling_multitask.hub.card_settings import CardSettings
from modeling_multitask.hub.upload import Target
from modeling_multitask.publishing import dataset as publish
from modeling_multitask.publishing.dataset import (
    _python,
    check_dataset_id,
    link_model,
    push_dataset,
    render_script,
    write_repository,
)
from tests.hub_server import HubServer, hub, hub_api

__all__ = ["hub", "hub_api"]  # fixtures

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}
RATING = {"name": "rating", "problem_type": "regression"}
ROWS = {
    "text": ["a", "b", "c", "d"],
    "topic": ["film", "food", None, "film"],
    "tags": [{"long": 1, "loud": None}, None, {"long": 0, "loud": 1}, None],
    "rating": [1.5, None, None, -1.0],
}


def build(data: dict[str, list], *tasks: dict[str, Any], **settings: Any) -> MultiTaskBuilder:
    builder = MultiTaskBuilder(tasks=list(tasks), train=Source(data=data), **settings)
    builder.download_and_prepare()
    return builder


def write(folder: Path, builder: MultiTaskBuilder, card: CardSettings | None = None, **settings: Any) -> Path:
    look = look_at(dict(builder.as_dataset()), builder.tasks, notes=builder.notes)
    folder.mkdir()
    write_repository(folder, "me/reviews", builder, look, card or CardSettings(), **settings)
    return folder


def load(folder: Path) -> DatasetDict:
    return load_dataset(str(folder), cache_dir=str(folder.parent / "cache"))


def rows_of(dataset: DatasetDict) -> dict[str, list]:
    return {name: rows.to_list() for name, rows in dataset.items()}


def card_of(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def spoken(card: str) -> list[list[str]]:
    """Code spans of each paragraph or cell, as Markdown reads them."""
    blocks = MarkdownIt().enable("table").parse(card.split("---\n", 2)[2])
    spans = [[each.content for each in block.children or [] if each.type == "code_inline"] for block in blocks]
    return [each for each in spans if each]


# The rows


def test_every_label_and_every_gap_is_loaded_as_it_was_built(tmp_path: Path) -> None:
    builder = build(ROWS, TOPIC, TAGS, RATING)

    loaded = load(write(tmp_path / "repo", builder))

    assert loaded["train"].to_dict() == {
        "text": ["a", "b", "c", "d"],
        "topic": [0, 1, None, 0],
        "tags": ROWS["tags"],
        "rating": [1.5, None, None, -1.0],
    }
    assert loaded["train"].features == builder.as_dataset()["train"].features


def test_splits_are_loaded_by_their_names(tmp_path: Path) -> None:
    data = {"text": [f"t{i}" for i in range(20)], "topic": ["film", "food"] * 10}
    builder = build(data, TOPIC, split={"validation": 0.1, "test": 0.2, "seed": 0})

    loaded = load(write(tmp_path / "repo", builder))

    assert rows_of(loaded) == rows_of(builder.as_dataset())
    assert loaded.num_rows == {"train": 14, "validation": 2, "test": 4}


def test_pairs_of_texts_are_loaded_as_pairs(tmp_path: Path) -> None:
    data = {"premise": ["a", "b"], "hypothesis": ["c", "d"], "topic": ["film", None]}
    builder = MultiTaskBuilder(tasks=[TOPIC], train=Source(data=data, text=["premise", "hypothesis"]))
    builder.download_and_prepare()

    loaded = load(write(tmp_path / "repo", builder))

    assert loaded["train"].to_dict() == {"text": ["a", "b"], "text_pair": ["c", "d"], "topic": [0, None]}


def test_a_task_that_no_row_of_a_split_has_is_loaded_with_its_labels(tmp_path: Path) -> None:
    empty = Source(data={"text": ["x"], "topic": ["film"], "tags": [None]})
    builder = build(ROWS, TOPIC, TAGS, test=empty)

    loaded = load(write(tmp_path / "repo", builder))

    assert loaded["test"]["tags"][:] == [None]
    assert loaded["test"].features == loaded["train"].features


def test_the_files_that_rows_come_from_are_not_pushed(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a", "b"], "topic": ["film", "food"]}).to_csv(tmp_path / "secret.csv", index=False)
    builder = MultiTaskBuilder(tasks=[TOPIC], train=str(tmp_path / "secret.csv"), with_source=True, with_place=True)
    builder.download_and_prepare()

    folder = write(tmp_path / "repo", builder)

    assert load(folder)["train"].column_names == ["text", "topic"]
    assert all(b"secret" not in shard.read_bytes() for shard in (folder / "data").iterdir())


def test_rows_are_cut_into_shards_of_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "SHARD_BYTES", 50)
    builder = build(ROWS, TOPIC, TAGS, RATING)

    folder = write(tmp_path / "repo", builder)

    shards = sorted(each.name for each in (folder / "data").iterdir())
    assert len(shards) > 1
    assert shards[0] == f"train-00000-of-{len(shards):05d}.parquet"
    assert rows_of(load(folder)) == rows_of(builder.as_dataset())
    assert sum(pq.read_metadata(folder / "data" / name).num_rows for name in shards) == 4


# The card


def test_the_metadata_of_the_card_are_those_of_the_hub(tmp_path: Path) -> None:
    card = CardSettings(title='Reviews: "all" of them', license="cc-by-4.0", language=["en", "no"])

    data = DatasetCard.load(write(tmp_path / "repo", build(ROWS, TOPIC), card) / "README.md").data.to_dict()

    assert data == {
        "language": ["en", "no"],
        "license": "cc-by-4.0",
        "pretty_name": 'Reviews: "all" of them',
        "task_categories": ["text-classification"],
        "size_categories": ["n<1K"],
        "tags": ["multi-task"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}],
    }


def test_a_licence_that_is_stated_is_on_the_card(tmp_path: Path) -> None:
    folder = write(tmp_path / "repo", build(ROWS, TOPIC), CardSettings(license="cc-by-4.0"))

    assert "## Licence\n\n`cc-by-4.0`\n" in card_of(folder)


def test_a_licence_that_is_not_stated_is_said_to_be_missing(tmp_path: Path) -> None:
    folder = write(tmp_path / "repo", build(ROWS, TOPIC))

    assert "## Licence\n\nThe owner has not stated a licence.\n" in card_of(folder)
    assert DatasetCard.load(folder / "README.md").data.license is None


def test_tasks_are_a_table_on_the_card(tmp_path: Path) -> None:
    card = card_of(write(tmp_path / "repo", build(ROWS, TOPIC, TAGS, RATING)))

    assert (
        """
| task | problem_type | labels | labelled in train |
|---|---|--:|--:|
| `topic` | single_label_classification | 2 | 3 of 4 |
| `tags` | multi_label_classification | 2 | 2 of 4 |
| `rating` | regression | a number | 2 of 4 |
"""
        in card
    )


def test_what_was_found_on_the_way_is_on_the_card(tmp_path: Path) -> None:
    data = {"text": ["a", "a", None], "topic": ["film", "film", "food"]}

    card = card_of(write(tmp_path / "repo", build(data, TOPIC)))

    assert "- train: 1 rows without a text are left out\n" in card
    assert "- train: 1 rows repeat a text of their own source and are kept\n" in card


@pytest.mark.parametrize(
    "label",
    ["a`b", "``", "`", "|", "*bold* _it_", "[a](b)", "<b>x</b>", "## head", "a\nb", "a  b", "---", "a, b", "$x$", "\\"],
)
def test_a_label_is_on_the_card_as_it_is_written_but_for_its_white_space(tmp_path: Path, label: str) -> None:
    task = {**TOPIC, "labels": [label, "food"]}

    folder = write(tmp_path / "repo", build({"text": ["a", "b"], "topic": [label, "food"]}, task))

    assert ["topic", " ".join(label.split()), "food"] in spoken(card_of(folder))
    assert load(folder)["train"].features["topic"].names == [label, "food"]


def test_a_fence_in_a_label_or_citation_does_not_end_that_of_the_card(tmp_path: Path) -> None:
    task = {**TOPIC, "labels": ["```", "food"]}
    builder = build({"text": ["a", "b"], "topic": ["```", "food"]}, task)

    card = card_of(write(tmp_path / "repo", builder, CardSettings(citation="```bibtex\n@misc{x}\n```\n")))

    headings = [each.content for each in MarkdownIt().parse(card) if each.type == "inline" and each.level == 1]
    assert {"Usage", "Tasks", "Coverage", "How it was built", "Licence", "Citation"} <= set(headings)
    fences = [each.content for each in MarkdownIt().parse(card) if each.type == "fence"]
    assert fences[-1] == "```bibtex\n@misc{x}\n```\n"


# How it was built


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Two tables with gaps, aliases and several ways to write labels, in a folder of their own."""
    folder = tmp_path / "project"
    (folder / "tables").mkdir(parents=True)
    (folder / "tables" / "one.csv").write_text(
        "text,kind,tags\n"
        + "".join(f"t{i},{'F' if i % 2 else '-1'},{'long; loud' if i % 3 else ''}\n" for i in range(20))
    )
    (folder / "tables" / "two.jsonl").write_text('{"review": "x", "topic": "food", "stars": 4.5}\n')
    return folder


def of_files(folder: Path, **settings: Any) -> MultiTaskBuilder:
    tasks = [{**TOPIC, "labels": None, "aliases": {"F": "film"}, "weight": 2.0}, {**TAGS, "labels": None}, RATING]
    one = Source(
        str(folder / "tables" / "one.csv"),
        labels={"topic": LabelColumn("kind", missing=[-1]), "tags": LabelColumn("tags", separator=";")},
    )
    two = Source(str(folder / "tables" / "two.jsonl"), "review", {"topic": "topic", "rating": "stars"})
    builder = MultiTaskBuilder(tasks=tasks, train=[one, two], **settings)
    builder.download_and_prepare()
    return builder


def test_the_script_builds_the_same_rows_where_the_sources_are(
    tmp_path: Path, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = {"fraction": 0.2, "seed": 1}
    builder = of_files(sources, split={"test": 0.25, "seed": 3, "group": None}, hide_labels=hidden)
    script = write(tmp_path / "repo", builder, recipe=recipe_in(sources)) / "build_dataset.py"
    shutil.move(script, sources)
    shutil.move(sources, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "another")

    rebuilt = runpy.run_path(script.name)["builder"].as_dataset()

    assert rows_of(rebuilt) == rows_of(builder.as_dataset())


def test_the_script_says_only_what_the_rows_depend_on(sources: Path) -> None:
    script = render_script(of_files(sources), sources)

    assert (
        "    tasks=[{'name': 'topic', 'problem_type': 'single_label_classification', 'labels': ['film', 'food'], "
        "'aliases': {'F': 'film'}}, "
    ) in script
    assert "    contradictions='error',\n    leaks='report',\n)\n" in script
    assert "streaming" not in script


def test_the_script_groups_a_long_table_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"id": [1, 2, 1, 1], "text": ["a", "b", "a", "a"], "label": ["film", "food", "film", "food"]}
    source = Source(data=data, labels={"topic": LabelColumn(votes={"column": "label", "by": "id"})})
    builder = MultiTaskBuilder(tasks=[TOPIC], train=[source])
    builder.download_and_prepare()
    (tmp_path / "build.py").write_text(render_script(builder, Path.cwd()))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "another")

    rebuilt = runpy.run_path(str(tmp_path / "build.py"))["builder"].as_dataset()

    assert rows_of(rebuilt) == rows_of(builder.as_dataset())


@pytest.mark.parametrize("with_recipe", [True, False])
def test_no_file_says_where_the_sources_are_on_this_machine(
    tmp_path: Path, sources: Path, with_recipe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sources)
    settings = {"recipe": recipe_in(sources)} if with_recipe else {}

    folder = write(tmp_path / "repo", of_files(sources), **settings)

    content = b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())
    assert str(tmp_path).encode() not in content
    assert b"path='tables/one.csv'" in content


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["dict", "frame"])
def test_the_script_of_a_table_in_memory_is_python(kind: str) -> None:
    pandas = pytest.importorskip("pandas")
    data = {"text": ["a", "b"], "topic": ["film", "food"]}
    builder = MultiTaskBuilder(tasks=[TOPIC], train=Source(data=data if kind == "dict" else pandas.DataFrame(data)))

    script = render_script(builder, Path.cwd())

    compile(script, "build_dataset.py", "exec")
    assert ("data={'text': ['a', 'b']" if kind == "dict" else "data=...") in script


def test_the_recipe_goes_along_with_what_was_said_besides_it(tmp_path: Path, sources: Path) -> None:
    folder = write(
        tmp_path / "repo", build(ROWS, TOPIC), recipe=recipe_in(sources), overrides=["seed=1", "data.leaks=remove"]
    )

    assert (folder / "recipe.yaml").read_text() == "# Built with seed=1 data.leaks=remove\n# mine\nseed: 0\n"
    assert "from [`recipe.yaml`](recipe.yaml)" in card_of(folder)


def recipe_in(folder: Path) -> Path:
    (folder / "mine.yaml").write_text("# mine\nseed: 0\n")
    return folder / "mine.yaml"


# The push


def test_a_second_push_takes_away_the_rows_of_the_first(tmp_path: Path, hub: HubServer, hub_api: HfApi) -> None:
    first = write(tmp_path / "first", build(ROWS, TOPIC, test=Source(data=ROWS)))
    second = write(tmp_path / "second", build({"text": ["z"], "topic": ["food"]}, TOPIC))

    push_dataset(hub_api, first, Target("tester/reviews", "dataset"))
    pushed = push_dataset(hub_api, second, Target("tester/reviews", "dataset"))

    assert pushed.address == f"{hub.url}/datasets/tester/reviews"
    expected = {each.relative_to(second).as_posix(): each.read_bytes() for each in second.rglob("*") if each.is_file()}
    found = hub.files("tester/reviews", "dataset")
    assert {name: content for name, content in found.items() if name != ".gitattributes"} == expected


def test_what_people_wrote_into_the_card_survives_the_next_push(tmp_path: Path, hub: HubServer, hub_api: HfApi) -> None:
    # P56
    target = Target("tester/reviews", "dataset")
    push_dataset(hub_api, write(tmp_path / "first", build(ROWS, TOPIC)), target)
    card = hub.files("tester/reviews", "dataset")["README.md"].decode()
    edited = card.replace("## Licence\n", "## Licence\n\nAsk me.\n") + "\n## By hand\n\nThanks to all.\n"
    hub_api.upload_file(
        path_or_fileobj=edited.encode(), path_in_repo="README.md", repo_id="tester/reviews", repo_type="dataset"
    )

    push_dataset(hub_api, write(tmp_path / "second", build(ROWS, TOPIC, RATING)), target)

    now = hub.files("tester/reviews", "dataset")["README.md"].decode()
    assert "Ask me." in now
    assert "## By hand\n\nThanks to all." in now
    assert "| `rating` |" in now


def test_models_that_were_trained_on_it_are_linked_once_and_stay(
    tmp_path: Path, hub: HubServer, hub_api: HfApi
) -> None:
    target = Target("tester/reviews", "dataset")
    push_dataset(hub_api, write(tmp_path / "first", build(ROWS, TOPIC)), target)

    linked = [link_model(hub_api, "tester/reviews", f"me/{name}") for name in ("one", "two", "one")]
    push_dataset(hub_api, write(tmp_path / "second", build(ROWS, TOPIC, RATING)), target)

    card = hub.files("tester/reviews", "dataset")["README.md"].decode()
    assert linked == [True, True, False]
    assert card.endswith(
        "## Models trained on it\n\n- [me/two](https://huggingface.co/me/two)\n- [me/one](https://huggingface.co/me/one)\n"
    )
    assert "| `rating` |" in card


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("reviews", "'reviews' has no owner; write OWNER/reviews"),
        ("me/re views", "'me/re views' is not a valid name of a data set on the Hub"),
        ("a/b/c", "'a/b/c' is not a valid name of a data set on the Hub"),
    ],
)
def test_a_name_that_no_data_set_can_have_is_refused(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_dataset_id(name)


def test_a_repository_named_like_its_script_is_refused() -> None:
    # P63
    with pytest.raises(DataError, match=r"'me/build_dataset' has the same name as its build_dataset.py"):
        check_dataset_id("me/build_dataset")


@pytest.mark.parametrize(
    "source",
    [
        Source("a.csv", {"columns": ["title", "body"], "separator": ""}),  # type: ignore[arg-type]
        Source("a.csv", header=False, columns=["text", "a", "b"], where={"a": [1, "x"]}),
        Source("a.csv", labels={"topic": LabelColumn(columns=["a", "b"], join=""), "tags": LabelColumn(constant=0)}),
        Source("a.csv", labels={"topic": LabelColumn(from_="file_name"), "tags": LabelColumn(columns={"a": "b"})}),
        Source("a.csv", join=Join(path="b.csv", on=["id", "lang"], delimiter=";")),
        Source("a.csv", join=Join(data={"id": ["1"], "topic": ["film"]}, on="id")),
    ],
    ids=["joined", "where", "join", "from", "tables", "table_in_memory"],
)
def test_the_script_repeats_the_words_of_a_source(source: Source, tmp_path: Path) -> None:
    assert eval(_python(source, tmp_path), {"Source": Source, "LabelColumn": LabelColumn, "Join": Join}) == source


def test_the_joined_table_is_in_no_folder_of_this_machine_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (("a.csv", "id,text\n1,a\n2,b\n3,c\n"), ("b.csv", "id,topic\n1,film\n2,food\n4,food\n")):
        (tmp_path / name).write_text(content)
    join = Join(path=str(tmp_path / "b.csv"), on="id")
    builder = MultiTaskBuilder(tasks=[TOPIC], train=Source(str(tmp_path / "a.csv"), join=join))
    builder.download_and_prepare()

    folder = write(tmp_path / "repo", builder)

    content = b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())
    assert str(tmp_path).encode() not in content
    assert b"join=Join(path='b.csv', on='id')" in content
    assert b"a.csv: 1 of 3 rows have no row in b.csv with the same id; 1 of 3 rows of b.csv are not used" in content


def test_soft_labels_are_pushed_and_the_script_builds_them_again(tmp_path: Path) -> None:
    tone = {"name": "tone", "problem_type": "binary_classification"}
    data = {"text": ["a", "b"], "no": [1, 0], "yes": [3, 1]}
    source = Source(data=data, labels={"tone": LabelColumn(soft={"no": "no", "yes": "yes"})})
    builder = MultiTaskBuilder(tasks=[tone], train=source)
    builder.download_and_prepare()

    folder = write(tmp_path / "repository", builder)

    assert load(folder)["train"]["tone_distribution"][:] == [{"no": 0.25, "yes": 0.75}, {"no": 0.0, "yes": 1.0}]
    assert "`tone_distribution` has the soft labels of `tone`." in (folder / "README.md").read_text()
    assert "LabelColumn(soft={'no': 'no', 'yes': 'yes'})" in (folder / "build_dataset.py").read_text()
