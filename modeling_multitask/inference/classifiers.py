"""A sequence classifier of transformers, which answers many texts in batches of similar length.

Shapes: N texts, C labels.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from ..backbone_multitask import most_tokens
from ..hub_access import hub_access
from ..paths_multitask import resolve_model_path
from ..problem_types_multitask import PROBLEM_TYPES, AnswerForm
from ..texts_multitask import Text
from ..wording import first_few, first_line
from .batches import batches_of
from .loading import fast_dtype, to_device
from .tensor_digest import add_tensors, add_tokenizer
from .text_encoder import tokens_per_pass


class Classifier:
    """A sequence classifier of transformers.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.model = model.to(fast_dtype(model.device)).eval()
        self.max_length = int(min(tokenizer.model_max_length, most_tokens(model)))
        self.cut = 0  # texts truncated so far
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        if model.config.pad_token_id is None:
            model.config.pad_token_id = tokenizer.pad_token_id  # decoders find the last token of a row by it

    @property
    def labels(self) -> list[str]:
        """The names of the labels, in the order of their ids."""
        names = self.model.config.id2label
        return [str(names[i]) for i in range(self.model.config.num_labels)]

    @property
    def form(self) -> AnswerForm | None:
        """The form of its answer: one label, any number of labels, a number, or `None` if its files do not tell."""
        facts = PROBLEM_TYPES.get(str(self.model.config.problem_type))
        return None if facts is None else facts.answer

    def digest(self) -> str:
        """Return a hash of everything that the answers depend on."""
        digest = hashlib.blake2b(self.model.config.to_json_string(use_diff=False).encode(), digest_size=16)
        digest.update(f"{self.model.dtype} {self.max_length}".encode())
        add_tokenizer(digest, self.tokenizer)
        add_tensors(digest, self.model.state_dict().values())
        return digest.hexdigest()

    def logits(self, texts: Sequence[Text]) -> np.ndarray:
        """Return the logits, (N, C) float32. Each distinct text is computed once."""
        unique = list(dict.fromkeys(texts))
        rows = self._tokens(unique) if unique else []
        lengths = np.array([len(row["input_ids"]) for row in rows])
        every = np.empty((len(unique), self.model.config.num_labels), np.float32)
        with torch.inference_mode():
            for batch in batches_of(lengths, tokens_per_pass(self.model.device)):
                every[batch] = self._batch([rows[i] for i in batch])
        places = {text: i for i, text in enumerate(unique)}
        return np.asarray(every[[places[text] for text in texts]])

    def _tokens(self, texts: Sequence[Text]) -> list[dict[str, Any]]:
        """Return the tokens of each of several texts, or pairs of texts, without padding."""
        columns = [texts] if isinstance(texts[0], str) else zip(*texts, strict=True)
        encoded = self.tokenizer(*map(list, columns), truncation=True, max_length=self.max_length)
        self.cut += sum(bool(each.overflowing) for each in encoded.encodings or ())  # a slow tokenizer does not tell
        return [dict(zip(encoded, each, strict=True)) for each in zip(*encoded.values(), strict=True)]

    def _batch(self, rows: list[dict[str, Any]]) -> np.ndarray:
        padded = self.tokenizer.pad(rows, return_tensors="pt")
        logits: Tensor = self.model(**{name: each.to(self.model.device) for name, each in padded.items()}).logits
        return logits.float().cpu().numpy()


def load_classifier(name: str, device: torch.device | None = None) -> Classifier:
    """Return a sequence classifier. No code of its folder is run.

    Args:
        name: A Hub id, a folder, or `package:NAME/FOLDER`.
        device: The device of the model. By default the accelerator, if there is one.

    Raises:
        OSError: If the model is not found, or its weights are not safetensors.
        ValueError: If it is no sequence classifier of transformers.
    """
    path = resolve_model_path(name)
    with hub_access(path):
        try:
            model, loaded = AutoModelForSequenceClassification.from_pretrained(
                path, trust_remote_code=False, use_safetensors=True, output_loading_info=True
            )
        except ValueError as error:  # a model with its own code, or of another kind
            raise ValueError(
                f"{name}: transformers cannot load it as a sequence classifier: {first_line(error)}"
            ) from error
        if missing := sorted(loaded["missing_keys"]):  # transformers makes them random
            raise ValueError(
                f"{name}: is no trained classifier, because its file has no weights for {first_few(missing)}; "
                "give a model that was trained for the task"
            )
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    return Classifier(to_device(model, device), tokenizer)
