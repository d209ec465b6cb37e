"""The order of the rows in an epoch, and how they are split into batches.

All random numbers come from the seed and the number of the epoch. A resumed run and every process therefore see the
same rows in the same order.

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

from ..texts_multitask import plain_rows
from .sampling import Sampling

STRETCH = 50  # rows of similar length are grouped within this number of batches, as in transformers


def shares(sizes: Sequence[float], sampling: Sampling, progress: float) -> np.ndarray:
    """Return each source's share of the draws of an epoch; (S,), sums to 1.

    Args:
        sizes: The number of rows, or the sum of their weights, of each source.
        sampling: The strategy.
        progress: 0 in the first epoch, 1 in the last.
    """
    exponents = {"temperature": 1 / sampling.temperature, "round_robin": 0.0, "annealed": 1 - 0.8 * progress}
    given = np.asarray(sizes, dtype=float)
    weights = given ** exponents.get(sampling.strategy, 1.0) * (given > 0)
    return weights / weights.sum()


def balanced_shares(sizes: Sequence[float]) -> np.ndarray:
    """Return equal shares for all classes; the first group, the rows without a label, keeps its own share; (S,)."""
    unlabelled = sizes[0] / sum(sizes)
    classes = sum(size > 0 for size in sizes[1:])
    return np.array([unlabelled, *((1 - unlabelled) / classes if size else 0.0 for size in sizes[1:])])


def row_groups(rows: Dataset, sampling: Sampling) -> list[np.ndarray]:
    """Return the row numbers of each group that the strategy draws from.

    A group is a source or a class. With classes, the first group holds the rows without a label. A strategy without
    groups has one group of all rows.

    Raises:
        ValueError: If the rows lack the column that the strategy needs, or its values are not valid.
    """
    name = SOURCE if sampling.by_source else sampling.task
    if name is None:
        return [np.arange(len(rows))]
    if name not in rows.column_names:
        raise ValueError(f"sampling.strategy {sampling.strategy!r} needs the column {name!r}, which is missing")
    given = list(plain_rows(rows)[name])
    if wrong := [i for i, value in enumerate(given) if not (value is None or isinstance(value, int))]:
        raise ValueError(
            f"sampling.strategy {sampling.strategy!r} needs integers in the column {name!r}, but row {wrong[0]} has "
            f"{given[wrong[0]]!r}"
        )
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
    """Return integers in these proportions that sum to `draws`; the largest remainders are rounded up; (S,)."""
    exact = parts * draws
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: draws - counts.sum()]] += 1
    return counts


def draw(groups: Sequence[np.ndarray], counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw rows of each group, spread evenly over the epoch; (sum of counts,).

    Every row of a group is drawn once before any row is drawn twice.

    Args:
        groups: The row numbers of each group; an empty group has the count 0.
        counts: The number of rows to draw from each group.
        rng: The random number generator.
    """
    rows, places = [], []
    for group, count in zip(groups, counts, strict=True):
        rounds = [rng.permutation(group) for _ in range(math.ceil(count / max(len(group), 1)))]
        rows.append(np.concatenate([*rounds, group[:0]])[:count])
        # Row k of n is placed at (k + u) / n of the epoch, so every part of the epoch has its share of the group.
        places.append((np.arange(count) + rng.random()) / max(count, 1))
    return np.concatenate(rows)[np.argsort(np.concatenate(places), kind="stable")]


def group_by_length(order: np.ndarray, lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """Group rows of similar length into batches, within each stretch of 50 batches.

    The batches of a stretch are shuffled. transformers sorts them instead, the longest first. An epoch then ends with
    short texts only, and the last steps fit the model to short texts. An incomplete batch stays last.
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
    """Return all rows in batches of similar length, in random order. A batch with padding has at most `budget` tokens.

    Rows are sorted by length, with ties in random order, and then split. Every epoch therefore has the same number of
    batches. A row that is longer than the budget is a batch of its own.
    """
    order = rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    batches, start = [], 0
    for stop in range(1, len(order) + 1):
        # In ascending order, the last row is the longest, and all rows are padded to it.
        if stop == len(order) or (stop + 1 - start) * lengths[order[stop]] > budget:
            batches.append(order[start:stop])
            start = stop
    return [batches[i] for i in rng.permutation(len(batches))]


def pair_by_label(order: np.ndarray, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rows in random order, but in pairs with the same label, so that each batch has similar pairs; (N,).

    A pair is at an even place and the next one, so that a batch with an even number of rows splits no pair. A row that
    is drawn several times is not paired with itself.

    Args:
        order: The rows of an epoch in random order, (N,).
        classes: The number of the label of each row for each task, (rows, K), negative where it is missing. A row with
            labels of several tasks is paired by a random one of them.
        rng: The random number generator.
    """
    labels = classes[order]  # (N, K)
    task = np.where(labels >= 0, rng.random(labels.shape), -1).argmax(axis=1)
    label = labels[np.arange(len(order)), task]
    groups = np.where(label >= 0, label * labels.shape[1] + task, -1)
    numbers = rng.permutation(len(classes))[order]  # the same for each copy of a row
    by_group = np.lexsort((numbers, groups))
    order, groups, numbers = order[by_group], groups[by_group], numbers[by_group]
    begin, end = np.searchsorted(groups, groups), np.searchsorted(groups, groups, side="right")
    # The copies of a row are next to each other, so the rows that are half a group apart differ.
    half = (end - begin) // 2
    first = np.flatnonzero((np.arange(len(order)) < begin + half) & (groups >= 0))
    pairs = np.stack([first, first + half[first]], axis=1)  # (P, 2), places in `order`
    pairs = pairs[order[pairs[:, 0]] != order[pairs[:, 1]]]
    alone = np.setdiff1d(np.arange(len(order)), pairs)
    alone = alone[np.argsort(numbers[alone], kind="stable")]
    rest = len(alone) // 2
    pairs = rng.permutation(np.concatenate([pairs, np.stack([alone[:rest], alone[rest : 2 * rest]], axis=1)]))
    return order[np.concatenate([pairs.reshape(-1), alone[2 * rest :]])]


class EpochSampler(Sampler[int]):
    """The row numbers of one epoch.

    Args:
        groups: The result of `row_groups`.
        sampling: How often each group is drawn.
        seed: The seed of all draws.
        epochs: The number of epochs of the run, for `annealed`.
        lengths: The number of tokens of each row, (N,), to group rows of similar length.
        batch_size: The number of rows of a batch over all processes, also for grouping by length.
        weights: The weight of each row, (N,). The size of a group is the sum of its weights. By default they are 1.

    Attributes:
        paired: Returns the classes of the rows, as for `pair_by_label`, in an epoch whose rows are paired by label
            instead of grouped by length. In other epochs it returns `None`.
    """

    paired: Callable[[], np.ndarray | None] = staticmethod(lambda: None)

    def __init__(
        self,
        groups: Sequence[np.ndarray],
        sampling: Sampling,
        *,
        seed: int,
        epochs: float = 1,
        lengths: np.ndarray | None = None,
        batch_size: int = 1,
        weights: np.ndarray | None = None,
    ) -> None:
        self.groups, self.sampling, self.seed = groups, sampling, seed
        self.sizes = [len(group) if weights is None else float(weights[group].sum()) for group in groups]
        self.epochs, self.epoch = epochs, 0
        self.lengths, self.batch_size = lengths, batch_size

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(map(len, self.groups))

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        if self.sampling.strategy == "concatenated":
            order = rng.permutation(np.concatenate(self.groups))
        else:
            order = draw(self.groups, quotas(self._shares(), len(self)), rng)
        if (classes := self.paired()) is not None:
            order = pair_by_label(order, classes, rng)
        elif self.lengths is not None:
            order = group_by_length(order, self.lengths, self.batch_size, rng)
        return iter(order.tolist())

    def _shares(self) -> np.ndarray:
        if self.sampling.strategy == "balanced":
            return balanced_shares(self.sizes)
        return shares(self.sizes, self.sampling, min(self.epoch / max(self.epochs - 1, 1), 1.0))


class TokenBatchSampler(Sampler[list[int]]):
    """The batches of one epoch by token budget, the same number for every process.

    Args:
        lengths: The number of tokens of each row, (N,).
        budget: The maximum number of tokens of a batch, with padding.
        seed: The seed of all draws.
        processes: The number of processes that share the batches.
    """

    batch_size = None  # read by accelerate
    drop_last = False

    def __init__(self, lengths: np.ndarray, budget: int, *, seed: int, processes: int = 1) -> None:
        self.lengths, self.budget, self.seed, self.processes = lengths, budget, seed, processes
        self.epoch = 0
        self._count = len(token_batches(lengths, budget, np.random.default_rng(0)))

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self._count / self.processes) * self.processes

    def __iter__(self) -> Iterator[list[int]]:
        batches = token_batches(self.lengths, self.budget, np.random.default_rng([self.seed, self.epoch]))
        # Repeat the first batches, so that every process has a batch in the last round.
        batches += [batches[i % len(batches)] for i in range(len(self) - len(batches))]
        return iter([batch.tolist() for batch in batches])


def load_token_batches(rows: Any, sampler: TokenBatchSampler, collate: Callable, args: TrainingArguments) -> DataLoader:
    """Load the batches of a sampler, each process its own share, on its device.

    Args:
        rows: N rows, by index.
        sampler: The batches of row numbers.
        collate: Makes a batch of rows.
        args: The settings of the data loader, and the process.
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
    # Not by the accelerator, which needs batches of equal size. The sampler gives every process the same number.
    return prepare_data_loader(
        loader,
        args.device,
        num_processes=args.world_size,
        process_index=args.process_index,
        put_on_device=True,
        even_batches=False,
    )


class EpochCallback(TrainerCallback):
    """A callback that sets the epoch of a sampler. The wrapper of accelerate does not always do this."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def on_epoch_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        self.sampler.set_epoch(int(state.epoch or 0))
