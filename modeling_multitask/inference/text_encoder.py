"""Run a model on many texts: each distinct text is computed once, in a batch of texts of similar length.

The heads run at the end, on all embeddings.

Shapes: N texts, B rows of a batch, W windows of texts (N, unless long texts have several), D width of the encoder,
C classes of one task.
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
from ..texts_multitask import Text
from .batches import Block, batches_of, padded, tokenized_blocks
from .loading import fast_dtype
from .tensor_digest import add_tensors, add_tokenizer

# Tokens of one forward pass. The activations of a layer must fit into a CPU's cache, or fill a GPU.
TOKENS_ON_CPU, TOKENS_ON_ACCELERATOR = 512, 32_768
ROWS_AT_ONCE = 8_192  # rows in one pass of the heads


class Outputs(NamedTuple):
    """A model's outputs for N texts.

    Args:
        embeddings: (N, D), float32.
        logits: By task name, (N, C), float32.
        lengths: (N,) the number of tokens of each text that the model reads, if known.
    """

    embeddings: np.ndarray
    logits: dict[str, np.ndarray]
    lengths: np.ndarray | None = None


class TextEncoder:
    """Run a model on many texts.

    Args:
        model: The model, which is not changed.
        tokenizer: Its tokenizer.
        dtype: The dtype of the encoder, or its name, such as `float32`. `auto` is bfloat16 where the device is faster
            in it (a GPU, or a CPU with AMX or AVX-512 BF16), and float32 elsewhere. A model in half precision keeps its
            dtype.
        tokens_per_batch: The most tokens of a forward pass, including padding. The default depends on the device.
        batch_size: The most texts of a forward pass. By default only the number of tokens is limited.
        prompt_name: The name of one of the model's prompts, to put before each text instead of the default one.
        prompt: A text to put before each text, instead of a name.

    Raises:
        ValueError: If `tokens_per_batch` or `batch_size` is not positive, or the dtype or the prompt is unknown.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        dtype: torch.dtype | str = "auto",
        tokens_per_batch: int | None = None,
        batch_size: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> None:
        for name, given in (("tokens_per_batch", tokens_per_batch), ("batch_size", batch_size)):
            if given is not None and given < 1:
                raise ValueError(f"{name} is {given}; it must be at least 1")
        dtype = _chosen_dtype(dtype, model)
        if prompt_name is not None or prompt is not None:
            model = copy.copy(model)  # it shares the weights
            model.config = model.config.with_prompt(tokenizer, prompt_name, prompt)
        self.model, self.tokenizer = model, tokenizer
        self.tokens_per_batch = tokens_per_pass(model.device) if tokens_per_batch is None else tokens_per_batch
        self.batch_size = batch_size
        is_ready = model.dtype == dtype and not model.training
        self._encoder = model if is_ready else copy.deepcopy(model).to(dtype).eval()
        self.cut = 0  # texts truncated so far
        # The heads are small, so they stay in full precision.
        self._heads = copy.deepcopy(model.heads).eval() if model.training else model.heads

    @property
    def tasks(self) -> list[TaskConfig]:
        """The model's tasks, in order."""
        return self.model.config.tasks

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.model.device

    def digest(self) -> str:
        """Return a hash of everything that the answers depend on."""
        digest = hashlib.blake2b(self.model.config.to_json_string(use_diff=False).encode(), digest_size=16)
        digest.update(str(self._encoder.dtype).encode())
        add_tokenizer(digest, self.tokenizer)
        add_tensors(digest, self.model.state_dict().values())
        return digest.hexdigest()

    def run(self, texts: Sequence[Text], *, show_progress: bool = False) -> Outputs:
        """Return the embeddings, every task's logits, and the number of tokens of each text."""
        embeddings, lengths = self.encode(texts, show_progress=show_progress)
        return Outputs(embeddings, self.logits(embeddings), lengths)

    def encode(self, texts: Sequence[Text], *, show_progress: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return the embeddings, (N, D) float32, and the number of tokens of each text, (N,)."""
        counts = Counter(texts)
        unique = sorted(counts, key=lambda text: not isinstance(text, str))  # single texts, then pairs
        embeddings = np.empty((len(unique), self.model.config.embedding_size), dtype=np.float32)
        lengths = np.empty(len(unique), dtype=np.int64)
        with torch.inference_mode(), tqdm(total=len(texts), unit=" texts", disable=not show_progress) as bar:
            for block in tokenized_blocks(self.tokenizer, self.model.config, unique):
                there = slice(block.start, block.start + block.texts)
                repeats = np.array([counts[text] for text in unique[there]])
                self.cut += block.cut
                embeddings[there] = self._embed(block, partial(_advance, bar, repeats))
                lengths[there] = np.bincount(block.window_texts, weights=block.lengths)
        if unique == list(texts):
            return embeddings, lengths
        place = {text: i for i, text in enumerate(unique)}
        back = np.array([place[text] for text in texts])
        return embeddings[back], lengths[back]

    def logits(self, embeddings: np.ndarray) -> dict[str, np.ndarray]:
        """Return the logits of the heads for embeddings (N, D), by task name, (N, C) float32."""
        parts = [embeddings[start : start + ROWS_AT_ONCE] for start in range(0, len(embeddings), ROWS_AT_ONCE)]
        with torch.inference_mode():
            found = [self._heads(self._on_device(part)) for part in parts or [embeddings]]
        names = [task.name for task in self.tasks]
        return {name: np.concatenate([each[name].float().cpu().numpy() for each in found]) for name in names}

    def _embed(self, block: Block, report: Callable[[np.ndarray], Any]) -> np.ndarray:
        """Return (N, D) float32, and report after each batch which of the N texts are complete."""
        left = np.bincount(block.window_texts)  # (N,) windows that are not computed yet
        batches = batches_of(block.lengths, self.tokens_per_batch, self.batch_size)
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


def _chosen_dtype(given: torch.dtype | str, model: MultiTaskModel) -> torch.dtype:
    if given == "auto":
        return fast_dtype(model.device) if model.dtype == torch.float32 else model.dtype
    found = getattr(torch, given, None) if isinstance(given, str) else given
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ValueError(f"dtype is {given!r}; it must be auto, float32, bfloat16 or float16")
    return found


def tokens_per_pass(device: torch.device) -> int:
    """Return the default number of tokens of a forward pass on a device."""
    return TOKENS_ON_CPU if device.type == "cpu" else TOKENS_ON_ACCELERATOR


def _advance(bar: tqdm, repeats: np.ndarray, done: np.ndarray) -> None:
    bar.update(int(repeats[done].sum()))
