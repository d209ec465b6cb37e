"""Every file that is uploaded is looked through for secrets."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi

from modeling_multitask.hub.secret_files import check_secrets, secret_in
from modeling_multitask.hub.upload import Target, push_folder

TOKEN = "hf_" + "Ab1" * 11


def test_a_token_in_a_comment_of_a_recipe_is_found(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(f"seed: 1\n# mine: {TOKEN}\n")

    with pytest.raises(ValueError, match=r"recipe\.yaml seems to contain a secret \(hf_Ab1\.\.\. in line 2\)"):
        check_secrets(tmp_path)


def test_a_token_in_a_row_is_found(tmp_path: Path) -> None:
    path = tmp_path / "data" / "train.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"topic": [0, 1, None], "text": ["a", None, f"my key is {TOKEN}"]}), path)

    assert secret_in(path) == "hf_Ab1... in row 3"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "vocab.txt"])
def test_weights_and_vocabularies_are_not_searched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TOKEN)

    check_secrets(tmp_path)


def test_nothing_is_sent_if_a_file_has_a_secret(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(TOKEN)

    with pytest.raises(ValueError, match=r"README\.md seems to contain a secret"):
        push_folder(HfApi(endpoint="http://127.0.0.1:9"), tmp_path, Target("me/x"), owned=(), message="Add")
