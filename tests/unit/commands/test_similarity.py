"""The similarity command."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModel, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.commands.similarity import main
from modeling_multitask.inference import encode
from modeling_multitask.inference.saving import save_folder

TEXTS = ["the good film", "a boring soup, not tasty", "the phone was broken", ""]
PAIRS = [("the good film", "a great film"), ("soup", "the phone was broken"), ("tasty", "")]
ONE_OF_THE_TWO = "error: give either a file or --pair TEXT TEXT\n"


@pytest.fixture
def folder(tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> str:
    save_folder(model, tokenizer, tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    return write(tmp_path / "sentences.csv", [{"text": text} for text in TEXTS])


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [{"id": f"0{i}", "text": one, "text_pair": other} for i, (one, other) in enumerate(PAIRS)]
    return write(tmp_path / "pairs.csv", rows)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
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


def printed(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def cosine(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, one: str, other: str) -> float:
    """Of two texts, each embedded alone."""
    vectors = [encode(model, [text], tokenizer=tokenizer)[0] for text in (one, other)]
    return torch.cosine_similarity(*map(torch.from_numpy, vectors), dim=0).item()


def test_pairs_of_a_table_are_printed_with_cosine_and_similarity(
    folder: str,
    pairs: Path,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main([folder, str(pairs)])

    lines = printed(capsys)
    expected = cosine(model, tokenizer, *PAIRS[0])
    assert (code, len(lines)) == (0, 5)
    assert lines.pop(0) == ["Pairs", "without", "both", "texts,", "which", "have", "no", "cosine:", "1"]
    assert lines[0] == ["cosine", "similarity", "text", "text_pair"]
    assert lines[3] == ["tasty"]
    # As printed, to 4 decimals.
    assert [float(each) for each in lines[1][:2]] == pytest.approx([expected, (1 + expected) / 2], abs=6e-5)
    assert lines[1][2:] == ["the", "good", "film", "a", "great", "film"]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_pairs_are_written_in_the_order_of_the_file_with_every_column(
    tmp_path: Path, folder: str, pairs: Path, ending: str
) -> None:
    main([folder, str(pairs), "--output", str(tmp_path / "new" / f"found{ending}")])

    rows = read(tmp_path / "new" / f"found{ending}")
    assert list(rows[0]) == ["id", "text", "text_pair", "cosine", "similarity"]
    assert [(row["id"], row["text"], row["text_pair"]) for row in rows] == [
        (f"0{i}", *pair) for i, pair in enumerate(PAIRS)
    ]
    *whole, empty = rows
    assert [float(row["similarity"]) for row in whole] == pytest.approx(
        [(1 + float(row["cosine"])) / 2 for row in whole]
    )
    assert {empty["cosine"], empty["similarity"]} == {"" if ending == ".csv" else None}


def test_pairs_may_stand_in_other_columns(tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "pairs.csv", [{"premise": "soup", "hypothesis": "soup"}])

    main([folder, str(path), "--text", "premise", "--text_pair", "hypothesis"])

    assert printed(capsys) == [["cosine", "similarity", "premise", "hypothesis"], ["1.0000", "1.0000", "soup", "soup"]]


def test_pairs_of_the_command_line_are_compared(
    folder: str, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([folder, "--pair", *PAIRS[0], "--pair", *PAIRS[1]])

    lines = printed(capsys)
    expected = [cosine(model, tokenizer, *pair) for pair in PAIRS[:2]]
    assert code == 0
    assert [float(line[0]) for line in lines[1:]] == pytest.approx(expected, abs=6e-5)  # as printed


def test_s1_and_s3_a_plain_bert_compares_by_the_mean_of_its_token_states(
    backbone: Path, tokenizer: PreTrainedTokenizerBase, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(backbone), "--pair", *PAIRS[0]])

    with torch.no_grad():
        vectors = [
            AutoModel.from_pretrained(backbone)(**tokenizer([text], return_tensors="pt")).last_hidden_state[0].mean(0)
            for text in PAIRS[0]
        ]
    expected = torch.cosine_similarity(*vectors, dim=0).item()
    assert float(printed(capsys)[1][0]) == pytest.approx(expected, abs=6e-5)  # as printed


def test_the_matrix_of_a_few_sentences_is_printed(
    folder: str, sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([folder, str(sentences), "--matrix"])

    lines = printed(capsys)
    found = np.array([[float(cell) for cell in line[1:5]] for line in lines[1:]])
    assert code == 0
    assert lines[0] == ["number", "1", "2", "3", "4", "text"]
    assert np.array_equal(found, found.T)
    assert found.diagonal().tolist() == [1, 1, 1, 1]


def test_the_matrix_is_written_as_a_table(
    tmp_path: Path, folder: str, sentences: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    main([folder, str(sentences), "--matrix", "--output", str(tmp_path / "matrix.csv")])

    rows = read(tmp_path / "matrix.csv")
    assert [row["text"] for row in rows] == TEXTS
    # Texts in one batch are padded, which changes a cosine by about 1e-7.
    assert float(rows[1]["3"]) == pytest.approx(cosine(model, tokenizer, TEXTS[1], TEXTS[2]), abs=1e-5)


@pytest.mark.parametrize(("name", "start"), [("matrix.png", b"\x89PNG"), ("new/matrix.PDF", b"%PDF")])
def test_the_matrix_is_drawn(
    tmp_path: Path, folder: str, sentences: Path, name: str, start: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([folder, str(sentences), "--matrix", "--output", str(tmp_path / name)])

    assert (code, (tmp_path / name).read_bytes()[:4]) == (0, start)
    assert capsys.readouterr().out.endswith(f"Wrote the picture to {(tmp_path / name).as_posix()}\n")


def test_the_sentences_of_pairs_are_all_in_the_matrix(
    folder: str, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([folder, str(pairs), "--matrix"])

    assert len(printed(capsys)) == 1 + 6


def test_stats_are_those_of_each_embedding(
    folder: str,
    sentences: Path,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main([folder, str(sentences), "--stats"])

    lines = printed(capsys)
    values = torch.from_numpy(encode(model, TEXTS[:1], tokenizer=tokenizer)[0])
    expected = [values.min(), values.max(), values.mean(), values.median(), values.std()]
    assert code == 0
    assert lines[1] == ["min", "max", "mean", "median", "std", "text"]
    assert [float(cell) for cell in lines[2][:5]] == pytest.approx([each.item() for each in expected], abs=6e-5)


def test_stats_say_what_the_values_are_of(folder: str, sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([folder, str(sentences), "--stats"])

    assert capsys.readouterr().out.startswith("32 values in each embedding; mean pooling, not normalised\n")


def test_stats_of_a_model_that_normalises_say_so(
    tmp_path: Path,
    sentences: Path,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model.config.normalize = True
    save_folder(model, tokenizer, tmp_path / "normalising")

    main([str(tmp_path / "normalising"), str(sentences), "--stats"])

    assert capsys.readouterr().out.startswith("32 values in each embedding; mean pooling, normalised\n")


def test_stats_are_written_beside_their_texts(tmp_path: Path, folder: str, sentences: Path) -> None:
    main([folder, str(sentences), "--stats", "--output", str(tmp_path / "stats.jsonl")])

    rows = read(tmp_path / "stats.jsonl")
    assert list(rows[0]) == ["text", "min", "max", "mean", "median", "std"]
    assert [row["text"] for row in rows] == TEXTS


def test_the_nearest_sentences_come_first(folder: str, sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([folder, str(sentences), "--nearest", TEXTS[2], "soup", "--top_k", "2"])

    lines = printed(capsys)
    assert (code, len(lines)) == (0, 1 + 2 + 2)
    assert lines[1] == ["3", "1.0000", *TEXTS[2].split(), *TEXTS[2].split()]
    assert float(lines[2][1]) < 1


def test_several_things_may_be_asked_for_at_once(
    folder: str, sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([folder, "--matrix", "--stats", str(sentences), "--nearest", "soup"])

    output = capsys.readouterr().out
    assert code == 0
    assert [paragraph.split()[0] for paragraph in output.split("\n\n")] == ["32", "min", "number"]


def test_a_text_of_lines_is_read(tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sentences.txt").write_text("soup\n\nthe film\n")

    main([folder, str(tmp_path / "sentences.txt"), "--matrix"])

    assert [line[-1] for line in printed(capsys)] == ["text", "soup", "film"]


def test_a_long_table_is_printed_if_it_is_not_written(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "pairs.csv", [{"text": "soup", "text_pair": "film"}] * 13)

    main([folder, str(path)])

    assert len(printed(capsys)) == 1 + 13


def test_a_long_table_that_is_written_is_only_counted(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "pairs.csv", [{"text": "soup", "text_pair": "film"}] * 1300)
    output = tmp_path / "found.csv"

    main([folder, str(path), "--output", str(output)])

    assert capsys.readouterr().out == f"Wrote 1,300 rows to {output.as_posix()}\n"


def test_an_output_on_a_server_is_refused(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-model", str(sentences), "--output", "s3://bucket/found.csv"]) == 1
    assert capsys.readouterr().err.startswith("error: s3://...: an output cannot be an address; write to a local path")


@pytest.mark.parametrize("name", ["found.csv", "found.png"])
def test_an_output_that_is_there_is_not_overwritten(
    tmp_path: Path, sentences: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("precious")

    code = main(["no-model", str(sentences), "--matrix", "--output", str(tmp_path / name)])

    assert (code, (tmp_path / name).read_text()) == (1, "precious")
    assert capsys.readouterr().err == f"error: {tmp_path / name} already exists; add --force to overwrite it\n"


@pytest.mark.parametrize("name", ["found.csv", "found.png"])
def test_an_output_that_is_there_is_overwritten_if_forced(
    tmp_path: Path, folder: str, sentences: Path, name: str
) -> None:
    (tmp_path / name).write_text("precious")

    code = main([folder, str(sentences), "--matrix", "--output", str(tmp_path / name), "--force"])

    assert code == 0
    assert b"precious" not in (tmp_path / name).read_bytes()


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the error of a command that stops before the model, which does not exist, is loaded."""
    assert main(["no-model", *map(str, arguments)]) == 1
    return capsys.readouterr().err


def test_no_texts_at_all_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys) == ONE_OF_THE_TWO


def test_a_file_and_pairs_at_once_are_refused(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, sentences, "--pair", "a", "b") == ONE_OF_THE_TWO


def test_sentences_that_are_no_pairs_are_refused_with_what_can_be_asked(
    sentences: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--matrix, --stats and --nearest take single texts" in refusal(capsys, sentences)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("texts.csv", None, "no such file"),
        ("texts.csv", "", "the file is empty"),
        ("texts.txt", "\n", "no rows"),
        ("texts.csv", "review\na\n", "no column 'text'; its columns are 'review'"),
        ("texts.pdf", "text\na\n", "the ending is '.pdf'; it must be one of .csv, .tsv, .jsonl, .json"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)

    assert message in refusal(capsys, tmp_path / name, "--stats")


def test_a_column_that_would_be_doubled_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "pairs.csv", [{"text": "a", "text_pair": "b", "cosine": "1"}])

    assert "the input already has a column 'cosine'" in refusal(capsys, path)


def test_a_matrix_of_one_sentence_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.txt").write_text("soup\n")

    assert refusal(capsys, tmp_path / "one.txt", "--matrix") == (
        "error: --matrix needs two or more texts, but there is only one\n"
    )


def test_a_matrix_that_is_too_wide_to_print_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "many.txt").write_text("soup\n" * 1300)

    assert refusal(capsys, tmp_path / "many.txt", "--matrix") == (
        "error: a matrix of 1,300 texts is too wide to print; write it to a file with --output FILE\n"
    )


def test_one_output_for_several_tables_is_refused(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, sentences, "--matrix", "--stats", "--output", "found.csv") == (
        "error: --output writes one table; use only one of --matrix and --stats\n"
    )


@pytest.mark.parametrize(
    ("view", "ending", "allowed"),
    [
        ("--stats", ".png", ".csv, .jsonl, .parquet\n"),
        ("--matrix", ".xlsx", ".csv, .jsonl, .parquet, .png, .svg, .pdf\n"),
    ],
)
def test_an_output_whose_ending_names_no_format_is_refused(
    sentences: Path, view: str, ending: str, allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(capsys, sentences, view, "--output", f"found{ending}")

    assert said == f"error: found{ending}: the ending is '{ending}'; it must be one of {allowed}"


def test_a_picture_without_the_extra_that_draws_is_refused(
    sentences: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    said = refusal(capsys, sentences, "--matrix", "--output", "found.png")

    assert "matplotlib is not installed; it comes with the extra 'plots'" in said


def test_a_model_that_does_not_exist_is_an_error(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no-model: not a local folder, and not found on the Hub" in refusal(capsys, sentences, "--stats")


def test_embeddings_without_length_are_an_error(
    tmp_path: Path,
    sentences: Path,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with torch.no_grad():
        for weight in model.backbone.parameters():
            weight.zero_()
    save_folder(model, tokenizer, tmp_path / "zero")

    code = main([str(tmp_path / "zero"), str(sentences), "--matrix", "--output", str(tmp_path / "matrix.csv")])

    assert (code, (tmp_path / "matrix.csv").exists()) == (1, False)
    assert "error: embedding 1 of 4 has length 0 and therefore no cosine" in capsys.readouterr().err


def test_no_neighbours_at_all_are_refused(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["no-model", str(sentences), "--nearest", "soup", "--top_k", "0"])

    assert "--top_k: 0 is not a whole number of at least 1" in capsys.readouterr().err
