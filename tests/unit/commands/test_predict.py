"""The predict command, which answers every task for each row of a table."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.commands.predict import main
from modeling_multitask.inference import predict
from modeling_multitask.inference.saving import save_folder

TEXTS = ["the good film", "", "a boring soup, not tasty"]
ADDED = ["topic", "topic_score", "sentiment", "sentiment_score", "tags", "tags_score", "rating"]
ADDED += ["grade", "grade_score"]


@pytest.fixture
def folder(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> str:
    save_folder(model, tokenizer, tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(tmp_path / "texts.csv", [{"id": f"0{i}", "text": text, "note": "NA"} for i, text in enumerate(TEXTS)])


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with path.open(newline="", encoding="utf-8") as file:
        return [json.loads(line) for line in file] if path.suffix == ".jsonl" else list(csv.DictReader(file))


def test_a_csv_keeps_every_column_and_cell(tmp_path: Path, folder: str, table: Path) -> None:
    main([folder, str(table), str(tmp_path / "answers.csv")])

    kept = [{name: row[name] for name in ("id", "text", "note")} for row in read(tmp_path / "answers.csv")]
    assert kept == read(table)


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_a_table_with_types_keeps_every_column_and_its_type(tmp_path: Path, folder: str, ending: str) -> None:
    rows = [{"id": 1, "text": "the film", "more": [1, 2]}, {"id": 2, "text": None, "more": None}]

    main([folder, str(write(tmp_path / f"texts{ending}", rows)), str(tmp_path / f"answers{ending}")])

    answers = read(tmp_path / f"answers{ending}")
    assert [{name: row[name] for name in ("id", "text", "more")} for row in answers] == rows


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_answers_are_added_after_the_columns_of_the_input(
    tmp_path: Path, folder: str, table: Path, ending: str
) -> None:
    main([folder, str(table), str(tmp_path / f"answers{ending}")])

    assert list(read(tmp_path / f"answers{ending}")[0]) == ["id", "text", "note", *ADDED]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_every_format_is_read(tmp_path: Path, folder: str, ending: str) -> None:
    path = write(tmp_path / f"texts{ending}", [{"text": text} for text in TEXTS])

    code = main([folder, str(path), str(tmp_path / "answers.jsonl")])

    assert (code, len(read(tmp_path / "answers.jsonl"))) == (0, 3)


def test_answers_are_those_of_the_model_row_by_row(
    tmp_path: Path, folder: str, table: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    main([folder, str(table), str(tmp_path / "answers.jsonl")])

    expected = predict(model, [TEXTS[0], TEXTS[2]], tokenizer=tokenizer)
    # The same weights in the same batches: equal but for the order of float32 sums.
    assert [row["rating"] for row in read(tmp_path / "answers.jsonl")[::2]] == pytest.approx(
        [row["rating"]["score"] for row in expected], abs=1e-6
    )


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_row_without_a_text_has_empty_answers_and_is_counted(
    tmp_path: Path, folder: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path / f"texts{ending}", [{"id": f"{i}", "text": text} for i, text in enumerate(["a", None, "", " "])]
    )

    assert main([folder, str(path), str(tmp_path / f"answers{ending}")]) == 0

    empty = "" if ending == ".csv" else None
    filled, *others = read(tmp_path / f"answers{ending}")
    assert [row["id"] for row in others] == ["1", "2", "3"]
    assert {row[name] for row in others for name in ADDED} == {empty}
    assert empty not in filled.values()
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Rows without a text, which have empty answers: 3",
        f"Wrote predictions for 4 rows to {tmp_path}/answers{ending}",
    ]


def test_a_table_without_any_text_has_only_empty_answers(tmp_path: Path, folder: str) -> None:
    path = write(tmp_path / "texts.csv", [{"id": "1", "text": ""}])

    assert main([folder, str(path), str(tmp_path / "answers.jsonl")]) == 0

    assert read(tmp_path / "answers.jsonl") == [{"id": "1", "text": "", **dict.fromkeys(ADDED)}]


def test_answers_do_not_depend_on_the_size_of_batches(tmp_path: Path, folder: str, table: Path) -> None:
    main([folder, str(table), str(tmp_path / "one.jsonl"), "--tokens_per_batch", "1"])
    main([folder, str(table), str(tmp_path / "all.jsonl"), "--tokens_per_batch", "100"])

    one, together = ([row["rating"] for row in read(tmp_path / f"{name}.jsonl")] for name in ("one", "all"))
    assert one == pytest.approx(together, abs=1e-5)  # padding moves float32 sums by about 1e-7


def test_answers_have_their_own_types(tmp_path: Path, folder: str, table: Path) -> None:
    main([folder, str(table), str(tmp_path / "answers.parquet")])

    schema = pq.read_schema(tmp_path / "answers.parquet")
    assert {name: str(schema.field(name).type).replace("item", "element") for name in ADDED} == {
        "topic": "string",
        "topic_score": "double",
        "sentiment": "string",
        "sentiment_score": "double",
        "tags": "list<element: string>",
        "tags_score": "list<element: double>",
        "rating": "double",
        "grade": "string",
        "grade_score": "double",
    }


def test_lists_are_json_in_a_csv(tmp_path: Path, folder: str, table: Path) -> None:
    main([folder, str(table), str(tmp_path / "answers.csv")])

    row = read(tmp_path / "answers.csv")[0]
    assert len(json.loads(row["tags"])) == len(json.loads(row["tags_score"]))


def test_the_text_may_stand_in_another_column(tmp_path: Path, folder: str) -> None:
    path = write(tmp_path / "texts.csv", [{"review": "the film"}])

    assert main([folder, str(path), str(tmp_path / "answers.csv"), "--text", "review"]) == 0


def test_rows_may_be_pairs_of_texts(
    tmp_path: Path, folder: str, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    pairs = [("the film", "was good"), ("soup", "was tasty"), ("soup", ""), ("", "soup")]
    path = write(tmp_path / "pairs.csv", [{"premise": one, "hypothesis": other} for one, other in pairs])

    code = main([folder, str(path), str(tmp_path / "answers.jsonl"), "--text", "premise", "--text_pair", "hypothesis"])

    answers = read(tmp_path / "answers.jsonl")
    expected = predict(model, pairs[:2], tokenizer=tokenizer)
    assert code == 0
    assert [row["hypothesis"] for row in answers] == ["was good", "was tasty", "", "soup"]
    assert [row["rating"] for row in answers[2:]] == [None, None]  # a pair needs both texts
    assert [row["rating"] for row in answers[:2]] == pytest.approx(
        [row["rating"]["score"] for row in expected], abs=1e-6
    )


def test_a_second_text_that_is_missing_is_an_error(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["no-model", str(table), str(tmp_path / "answers.csv"), "--text_pair", "txet"])

    assert code == 1
    assert "no column 'txet'; its columns are 'id', 'text', 'note'; did you mean 'text'?" in capsys.readouterr().err


def test_the_prefix_stands_before_every_added_column(tmp_path: Path, folder: str) -> None:
    path = write(tmp_path / "texts.csv", [{"text": "the film", "topic": "film"}])

    main([folder, str(path), str(tmp_path / "answers.csv"), "--prefix", "my_"])

    assert list(read(tmp_path / "answers.csv")[0]) == ["text", "topic", *(f"my_{name}" for name in ADDED)]


def test_the_number_of_rows_is_printed(
    tmp_path: Path, folder: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([folder, str(table), str(tmp_path / "answers.csv")])

    assert f"Wrote predictions for 3 rows to {tmp_path / 'answers.csv'}\n" in capsys.readouterr().out


def test_an_output_that_is_there_is_not_overwritten(
    tmp_path: Path, folder: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "answers.csv"
    output.write_text("precious")

    code = main([folder, str(table), str(output)])

    assert (code, output.read_text()) == (1, "precious")
    assert capsys.readouterr().err == f"error: {output} already exists; add --force to overwrite it\n"


def test_an_output_that_is_there_is_overwritten_if_forced(tmp_path: Path, folder: str, table: Path) -> None:
    output = tmp_path / "answers.csv"
    output.write_text("precious")

    code = main([folder, str(table), str(output), "--force"])

    assert (code, len(read(output))) == (0, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("texts.csv", None, "no such file"),
        ("texts.csv", "", "the file is empty"),
        ("texts.csv", "text\n", "a header, but no rows"),
        ("texts.csv", "review\na\n", "no column 'text'; its columns are 'review'"),
        ("texts.csv", "text,id\na\n", "line 2: 1 cells, but the header has 2"),
        ("texts.docx", "text\na\n", "the ending is '.docx'; it must be one of .csv, .tsv, .jsonl"),
        ("texts.jsonl", "{text\n", "line 1: not JSON"),
        ("texts.parquet", "hello", "not a complete Parquet file"),
    ],
)
def test_an_input_that_cannot_be_read_is_said_without_loading_the_model(
    tmp_path: Path, name: str, content: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)

    code = main(["no-model", str(tmp_path / name), str(tmp_path / "answers.csv")])

    error = capsys.readouterr().err
    assert code == 1
    assert error.startswith("error: ")
    assert message in error


def test_an_output_whose_ending_names_no_format_is_refused(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["no-model", str(table), str(tmp_path / "answers.xlsx")])

    assert code == 1
    assert "answers.xlsx: the ending is '.xlsx'" in capsys.readouterr().err


def test_a_column_that_an_answer_would_double_is_refused(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "texts.csv", [{"text": "the film", "topic": "film"}])

    code = main([folder, str(path), str(tmp_path / "answers.csv")])

    message = "error: the input already has a column 'topic'; rename the answers with --prefix\n"
    assert code == 1
    assert capsys.readouterr().err.endswith(message)


def test_nothing_is_written_after_an_error(tmp_path: Path, folder: str) -> None:
    path = write(tmp_path / "texts.csv", [{"text": "the film", "topic": "film"}])

    main([folder, str(path), str(tmp_path / "answers.csv")])

    assert sorted(each.name for each in tmp_path.iterdir()) == ["model", "texts.csv"]


def test_a_model_that_does_not_exist_is_an_error_with_its_name(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(tmp_path / "no-model"), str(table), str(tmp_path / "answers.csv")])

    assert code == 1
    assert "no-model" in capsys.readouterr().err


def test_a_package_that_is_not_installed_is_an_error(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["package:no_such_package/model", str(table), str(tmp_path / "answers.csv")])

    assert code == 1
    assert "the Python package 'no_such_package' is not installed" in capsys.readouterr().err


def test_a_folder_that_holds_no_model_is_an_error_with_its_name(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()

    code = main([str(tmp_path / "empty"), str(table), str(tmp_path / "answers.csv")])

    assert code == 1
    assert "empty: not a multi-task model (it has no config.json)" in capsys.readouterr().err


def test_a_model_that_does_not_exist_is_an_error(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(tmp_path / "none"), str(table), str(tmp_path / "answers.csv")])

    assert code == 1
    assert "none: not a local folder (" in capsys.readouterr().err


def test_a_folder_that_holds_another_kind_of_model_is_an_error(
    tmp_path: Path, backbone: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(backbone), str(table), str(tmp_path / "answers.csv")])

    assert code == 1
    assert "not a multi-task model (its config.json says model_type 'bert')" in capsys.readouterr().err


def test_a_batch_of_no_tokens_is_an_error(
    tmp_path: Path, folder: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([folder, str(table), str(tmp_path / "answers.csv"), "--tokens_per_batch", "0"])

    assert "--tokens_per_batch: 0 is not a whole number of at least 1" in capsys.readouterr().err


def test_texts_that_are_cut_are_counted(tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "texts.csv", [{"text": text} for text in ("good " * 14, "good " * 15, "bad " * 99)])

    main([folder, str(path), str(tmp_path / "answers.csv")])

    assert "2 texts have more than 16 tokens and were truncated (long_texts: truncate)" in capsys.readouterr().out
