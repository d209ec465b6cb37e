"""The cache of embeddings before training."""

from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskModel
from modeling_multitask.training.start_embeddings import embedded_rows, embeddings_of


def test_another_tokenizer_has_other_embeddings(tmp_path: Path, model: MultiTaskModel, backbone: Path) -> None:
    Dataset.from_dict({"text": ["A FILM", "soup"]}).save_to_disk(tmp_path / "rows")
    rows = Dataset.load_from_disk(tmp_path / "rows")

    found = [
        embeddings_of(
            embedded_rows(
                {"train": rows},
                model,
                AutoTokenizer.from_pretrained(backbone, do_lower_case=lower),  # the same words
                purpose="Test",
            )["train"]
        )
        for lower in (True, False)
    ]

    assert not np.allclose(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-6)
