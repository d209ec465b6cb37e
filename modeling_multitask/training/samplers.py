"""In which order the rows of an epoch come, and how they are cut into batches.

Everything is drawn from the seed and the number of the epoch, so that a resumed run sees the same rows in the same
order, and every process the same as the others.

Shapes: N rows of the training set, S sources.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from accelerate.data_loader import prepare_data_loader
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler
from transformers import TrainerCallback, TrainerState, TrainingArguments

from datasets_builder.columns import SOURCE

from .sampling import Sampling

STRETCH = 50  # batches among which rows of similar length are brought together, as transformers has it


def shares(sizes: Sequence[int], sampling: Sampling, progress: float) -> np.ndarray:
    """The share of an epoch's draws that falls to each source; (S,), sums to 1.

    Args:
        sizes: Rows of each source.
        sampling: The strategy.
        progress: 0 in the first epoch, 1 in the last.
    """
    exponents = {"temperature": 1 / sampling.temperature, "round_robin": 0.0, "annealed": 1 - 0.8 * progress}
    weights = np.asarray(sizes, dtype=float) ** exponents.get(sampling.strategy, 1.0)
    return weights / weights.sum()


def balanced_shares(sizes: Sequence[int]) -> np.ndarray:
    """The same share for each class, after the first group, the rows without a label, has kept its own; (S,)."""
    unlabelled = sizes[0] / sum(sizes)
    classes = sum(size > 0 for size in sizes[1:])
    return np.array([unlabelled, *((1 - unlabelled) / classes if size else 0.0 for size in sizes[1:])])


def row_groups(rows: Dataset, sampling: Sampling) -> list[np.ndarray]:
    """The row numbers that are drawn alike: of each source; of each class, after those without a label; or all.

    Raises:
        ValueError: If the rows do not say what the strategy asks for.
    """
    name = SOURCE if sampling.by_source else sampling.task
    if name is None:
        return [np.arange(len(rows))]
    if name not in rows.column_names:
        raise ValueError(f"sampling.strategy {sampling.strategy!r} needs the column {name!r}, which the rows lack")
    given = list(rows[name])
    if not all(value is None or isinstance(value, int) for value in given):
        raise ValueError(f"sampling.strategy {sampling.strategy!r} needs whole numbers in the column {name!r}")
    values = np.array([-1 if value is None else value for value in given])
    groups = [np.flatnonzero(values == value) for value in np.unique(values[values >= 0])]
    if sampling.by_source:
        if (values < 0).any():
            raise ValueError(f"sampling.strategy {sampling.strategy!r}: row {(values < 0).argmax()} has no {name!r}")
        return groups
    if not groups:
        raise ValueError(f"sampling.task: no training row has a label for {name!r}")
    return [np.flatnonzero(values < 0), *groups]


def quotas(parts: np.ndarray, draws: int) -> np.ndarray:
    """Whole numbers in these proportions that sum to `draws`, the largest remainders rounded up; (S,)."""
    exact = parts * draws
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: draws - counts.sum()]] += 1
    return counts


def draw(groups: Sequence[np.ndarray], counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of each group, as many as its count, spread evenly over one another; (sum of counts,).

    A group gives every row once before it gives one twice.

    Args:
        groups: The row numbers of each group; an empty one has the count 0.
        counts: How many rows each gives.
        rng: Where chance comes from.
    """
    rows, places = [], []
    for group, count in zip(groups, counts, strict=True):
        rounds = [rng.permutation(group) for _ in range(math.ceil(count / max(len(group), 1)))]
        rows.append(np.concatenate([*rounds, group[:0]])[:count])
        # The k-th of n rows stands at (k + u) / n of the epoch: stretches of any length hold their share of it.
        places.append((np.arange(count) + rng.random()) / max(count, 1))
    return np.concatenate(rows)[np.argsort(np.concatenate(places), kind="stable")]


def group_by_length(order: np.ndarray, lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """The order with rows of similar length brought together in batches, within stretches of 50 batches.

    The batches of a stretch are shuffled. Left longest first, as transformers has them, an epoch ends on short texts
    only, and the last steps pull the model towards these. An incomplete batch stays last.
    """
    size = batch_size * STRETCH
    batches: list[np.ndarray] = []
    for start in range(0, len(order), size):
        stretch = order[start : start + size]
        stretch = stretch[np.argsort(-lengths[stretch], kind="stable")]
        whole = len(stretch) // batch_size
        batches.extend(rng.permutation(stretch[: whole * batch_size].reshape(whole, batch_size)))
        batches.append(stretch[whole * batch_size :])
    return np.concatenate(batches)


def token_batches(lengths: np.ndarray, budget: int, rng: np.random.Generator) -> list[np.ndarray]:
    """All rows in batches of similar length, each of at most `budget` tokens with its padding, in random order.

    Rows are sorted by length, ties at random, and then cut: so there are equally many batches in every epoch. A row
    longer than the budget is a batch of its own.
    """
    order = rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    batches, start = [], 0
    for stop in range(1, len(order) + 1):
        # Ascending, so that the last row is the longest and all are padded to it.
        if stop == len(order) or (stop + 1 - start) * lengths[order[stop]] > budget:
            batches.append(order[start:stop])
            start = stop
    return [batches[i] for i in rng.permutation(len(batches))]


class EpochSampler(Sampler[int]):
    """The row numbers of one epoch.

    Args:
        groups: What `row_groups` gives.
        sampling: How often each group is drawn.
        seed: Of everything that is drawn.
        epochs: How many there will be, for `annealed`.
        lengths: (N,) tokens of each row, if rows of similar length are to come together.
        batch_size: Rows of a batch over all processes, for the same.
    """

    def __init__(
        self,
        groups: Sequence[np.ndarray],
        sampling: Sampling,
        *,
        seed: int,
        epochs: float = 1,
        lengths: np.ndarray | None = None,
        batch_size: int = 1,
    ) -> None:
        self.groups, self.sampling, self.seed = groups, sampling, seed
        self.epochs, self.epoch = epochs, 0
        self.lengths, self.batch_size = lengths, batch_size

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch comes."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(map(len, self.groups))

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        if self.sampling.strategy == "concatenated":
            order = rng.permutation(np.concatenate(self.groups))
        else:
            order = draw(self.groups, quotas(self._shares(), len(self)), rng)
        if self.lengths is not None:
            order = group_by_length(order, self.lengths, self.batch_size, rng)
        return iter(order.tolist())

    def _shares(self) -> np.ndarray:
        sizes = [len(group) for group in self.groups]
        if self.sampling.strategy == "balanced":
            return balanced_shares(sizes)
        return shares(sizes, self.sampling, min(self.epoch / max(self.epochs - 1, 1), 1.0))


class TokenBatchSampler(Sampler[list[int]]):
    """The batches of one epoch by token budget, equally many for every process.

    Args:
        lengths: (N,) tokens of each row.
        budget: Tokens of a batch, padding included.
        seed: Of everything that is drawn.
        processes: How many take turns at the batches.
    """

    batch_size = None  # read by accelerate
    drop_last = False

    def __init__(self, lengths: np.ndarray, budget: int, *, seed: int, processes: int = 1) -> None:
        self.lengths, self.budget, self.seed, self.processes = lengths, budget, seed, processes
        self.epoch = 0
        self._count = len(token_batches(lengths, budget, np.random.default_rng(0)))

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch comes."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self._count / self.processes) * self.processes

    def __iter__(self) -> Iterator[list[int]]:
        batches = token_batches(self.lengths, self.budget, np.random.default_rng([self.seed, self.epoch]))
        # The first batches again where the last round would leave a process without one.
        batches += [batches[i % len(batches)] for i in range(len(self) - len(batches))]
        return iter([batch.tolist() for batch in batches])


def load_token_batches(rows: Any, sampler: TokenBatchSampler, collate: Callable, args: TrainingArguments) -> DataLoader:
    """The sampler's batches, each process its own, on its device.

    Args:
        rows: N rows, by index.
        sampler: Their batches.
        collate: Makes a batch of rows.
        args: How they are loaded, and for which process.
    """
    loader = DataLoader(
        rows,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=args.dataloader_num_workers,
        pin_memory=args.dataloader_pin_memory,
        persistent_workers=args.dataloader_persistent_workers,
        prefetch_factor=args.dataloader_prefetch_factor,
    )
    # Not by the accelerator, which wants batches of one size: the sampler sees to it that none is left over.
    return prepare_data_loader(
        loader,
        args.device,
        num_processes=args.world_size,
        process_index=args.process_index,
        put_on_device=True,
        even_batches=False,
    )


class EpochCallback(TrainerCallback):
    """Tells a sampler which epoch begins; what accelerate wraps around it does not always pass that on."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def on_epoch_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        self.sampler.set_epoch(int(state.epoch or 0))
