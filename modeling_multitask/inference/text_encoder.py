"""A model at work on many texts: each is computed once, in a batch of texts of similar length.

The heads read all embeddings at the end.

Shapes: N texts, B rows of a batch, W windows of texts (N, unless long texts have several), D width of the encoder, C
classes of one task.
"""

import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from ..modeling_multitask import MultiTaskModel
from ..pooling_multitask import join_windows
from ..tasks_multitask import TaskConfig
from .batches import Block, Text, batches_of, padded, tokenized_blocks
from .loading import fast_dtype

# Tokens of one forward pass. What a layer computes must fit into a processor's cache, or fill a GPU.
TOKENS_ON_CPU, TOKENS_ON_ACCELERATOR = 512, 32_768
ROWS_AT_ONCE = 8_192  # whose heads are asked together


class Outputs(NamedTuple):
    """What a model says of N texts.

    Args:
        embeddings: (N, D), float32.
        logits: By task name, (N, C), float32.
        lengths: (N,) the tokens of each text, as the model reads it, where that is known.
    """

    embeddings: np.ndarray
    logits: dict[str, np.ndarray]
    lengths: np.ndarray | None = None


class TextEncoder:
    """A model that is ready for many texts.

    Args:
        model: The model; left as it is.
        tokenizer: Its tokenizer.
        dtype: What the encoder computes in. `auto` is bfloat16 where the device is faster in it, a GPU or a processor
            with AMX or AVX-512 BF16, and float32 elsewhere; a model that is in half precision stays in it.
        tokens_per_batch: Most tokens of a forward pass, padding included; what suits the device if left out.

    Raises:
        ValueError: If `tokens_per_batch` is not positive.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        dtype: torch.dtype | str = "auto",
        tokens_per_batch: int | None = None,
    ) -> None:
        if tokens_per_batch is not None and tokens_per_batch < 1:
            raise ValueError(f"tokens_per_batch is {tokens_per_batch}; it must be at least 1")
        if dtype == "auto":
            dtype = fast_dtype(model.device) if model.dtype == torch.float32 else model.dtype
        self.model, self.tokenizer = model, tokenizer
        self.tokens_per_batch = tokens_per_pass(model.device) if tokens_per_batch is None else tokens_per_batch
        is_ready = model.dtype == dtype and not model.training
        self._encoder = model if is_ready else copy.deepcopy(model).to(dtype).eval()
        self.cut = 0  # texts so far that were longer than the model reads
        # The heads are small, and read in full precision what comes out of the encoder.
        self._heads = copy.deepcopy(model.heads).eval() if model.training else model.heads

    @property
    def tasks(self) -> list[TaskConfig]:
        """The model's tasks, in order."""
        return self.model.config.tasks

    def digest(self) -> str:
        """A hash of all that answers depend on."""
        digest = hashlib.blake2b(self.model.config.to_json_string(use_diff=False).encode(), digest_size=16)
        digest.update(str(self._encoder.dtype).encode())
        for parameter in self.model.state_dict().values():
            digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def run(self, texts: Sequence[Text], *, show_progress: bool = False) -> Outputs:
        """The embeddings and every task's logits."""
        embeddings, lengths = self.encode(texts, show_progress=show_progress)
        return Outputs(embeddings, self.logits(embeddings), lengths)

    def encode(self, texts: Sequence[Text], *, show_progress: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The embeddings, (N, D) float32, and the tokens of each text, (N,)."""
        counts = Counter(texts)
        unique = list(counts)
        embeddings = np.empty((len(unique), self.model.config.hidden_size), dtype=np.float32)
        lengths = np.empty(len(unique), dtype=np.int64)
        with torch.inference_mode(), tqdm(total=len(texts), unit=" texts", disable=not show_progress) as bar:
            for block in tokenized_blocks(self.tokenizer, self.model.config, unique):
                there = slice(block.start, block.start + block.texts)
                repeats = np.array([counts[text] for text in unique[there]])
                self.cut += block.cut
                embeddings[there] = self._embed(block, partial(_advance, bar, repeats))
                lengths[there] = np.bincount(block.window_texts, weights=block.lengths)
        if len(unique) == len(texts):
            return embeddings, lengths
        place = {text: i for i, text in enumerate(unique)}
        back = np.array([place[text] for text in texts])
        return embeddings[back], lengths[back]

    def logits(self, embeddings: np.ndarray) -> dict[str, np.ndarray]:
        """By task name, (N, C) float32, what the heads read out of embeddings (N, D)."""
        parts = [embeddings[start : start + ROWS_AT_ONCE] for start in range(0, len(embeddings), ROWS_AT_ONCE)]
        with torch.inference_mode():
            found = [self._heads(self._on_device(part)) for part in parts or [embeddings]]
        names = [task.name for task in self.tasks]
        return {name: np.concatenate([each[name].float().cpu().numpy() for each in found]) for name in names}

    def _embed(self, block: Block, report: Callable[[np.ndarray], Any]) -> np.ndarray:
        """(N, D) float32; says after each batch which of the N texts it has completed."""
        left = np.bincount(block.window_texts)  # (N,) windows still to be read
        batches = batches_of(block.lengths, self.tokens_per_batch)
        found = []
        for rows in batches:
            batch = padded(block, rows, self.tokenizer)
            found.append(self._encoder.embed(**{name: each.to(self.model.device) for name, each in batch.items()}))
            np.subtract.at(left, block.window_texts[rows], 1)
            touched = np.unique(block.window_texts[rows])
            report(touched[left[touched] == 0])
        windows = torch.cat(found).float().cpu()[np.argsort(np.concatenate(batches))]  # (W, D)
        if block.texts < len(windows):
            texts, tokens = torch.from_numpy(block.window_texts), torch.from_numpy(block.lengths)
            windows = join_windows(windows, texts, tokens, normalize=self.model.config.normalize)
        return windows.numpy()

    def _on_device(self, embeddings: np.ndarray) -> Tensor:
        return torch.from_numpy(embeddings).to(self.model.device, self.model.dtype)


def tokens_per_pass(device: torch.device) -> int:
    """The tokens of a forward pass that suit a device."""
    return TOKENS_ON_CPU if device.type == "cpu" else TOKENS_ON_ACCELERATOR


def _advance(bar: tqdm, repeats: np.ndarray, done: np.ndarray) -> None:
    bar.update(int(repeats[done].sum()))
