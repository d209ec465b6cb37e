"""Checks for arguments that do not work together, or that would silently have no effect."""

from typing import Any

from datasets import Dataset
from peft import PeftModel

from ..modeling_multitask import MultiTaskModel
from ..tasks_multitask import TaskConfig
from ..texts_multitask import TEXT
from ..words_multitask import nearest_hint
from .arguments import MultiTaskTrainingArguments
from .balancing_methods import GRADIENT_BALANCING
from .freezing import trained_parameters
from .metric_names import evaluated_metrics
from .parameter_groups import parameter_depths, plain_name
from .phases import phase_problems


def check_kind(args: Any) -> None:
    """Raise a `ValueError` unless the arguments are those of this package."""
    if not isinstance(args, MultiTaskTrainingArguments):
        raise ValueError(
            f"args is a {type(args).__name__}; use MultiTaskTrainingArguments, which takes the same arguments and has "
            "learning rates for the heads and the encoder"
        )


def check_arguments(args: MultiTaskTrainingArguments, kwargs: dict[str, Any]) -> None:
    """Raise an error for arguments that would silently have another effect or none."""
    if args.label_smoothing_factor:
        raise ValueError(
            f"label_smoothing_factor is {args.label_smoothing_factor}, but it supports only one task; "
            "set the label_smoothing of each task instead"
        )
    if not args.average_tokens_across_devices:
        raise ValueError(
            "average_tokens_across_devices is False; it must be True, because labels are counted over all processes"
        )
    if args.mixed_precision == "fp16" and args.device.type == "cpu":
        raise ValueError("fp16 is True, but a CPU would silently use float32; use bf16, or leave fp16 out")
    if args.restore_callback_states_from_checkpoint:
        raise ValueError(
            "restore_callback_states_from_checkpoint is True, but transformers cannot restore phases and balancing; "
            "leave it out, because they restore their own state"
        )
    if kwargs.get("compute_loss_func") is not None:
        raise ValueError(
            "compute_loss_func is given, but the model computes the loss of each task itself; leave it out"
        )
    if kwargs.get("optimizers", (None, None))[0] is not None and (args.learning_rates or args.phases):
        raise ValueError(
            "optimizers is given and has its own rates; leave it out, or leave out learning_rates and phases"
        )
    by_batch = args.tokens_per_batch is not None or args.train_sampling_strategy not in ("random", "group_by_length")
    if by_batch and args.sampler().strategy != "concatenated":
        other = (
            "tokens_per_batch" if args.tokens_per_batch else f"train_sampling_strategy {args.train_sampling_strategy}"
        )
        raise ValueError(
            f"sampling.strategy {args.sampler().strategy!r} does not work with {other}; leave one of them out"
        )


def check_phases(args: MultiTaskTrainingArguments, model: MultiTaskModel, trainable: set[str]) -> None:
    """Raise an error for phases and rates that do not fit the model."""
    tasks = model.config.tasks
    depths, top = parameter_depths(model)
    metrics = evaluated_metrics((task.name, task.problem_type) for task in tasks)
    evaluated = metrics if args.eval_strategy != "no" else []
    phases = args.schedule
    if problems := phase_problems(phases, [task.name for task in tasks], evaluated, top):
        raise ValueError("; ".join(each if args.phases else each.removeprefix("phases[0].") for each in problems))
    plain = {plain_name(name): depth for name, depth in depths.items()}
    for phase, rates in zip(phases, args.phase_rates(), strict=True):
        trained = {plain_name(name) for name in trained_parameters(model, phase.train, phase.freeze) & trainable}
        if not trained and trainable and args.freeze not in ("everything", ["everything"]):
            raise ValueError(f"phases: no parameter is left to train in {phase.describe()!r}; freeze fewer parts")
        if (problem := rates.problem(plain, top, trained)) is not None:
            raise ValueError(f"learning_rates: {problem}")


def check_processes(args: MultiTaskTrainingArguments, model: MultiTaskModel | PeftModel, *, sharded: bool) -> None:
    """Raise an error for arguments that do not work with the distribution of the model over processes.

    Args:
        args: The arguments of the run.
        model: The model, with or without adapters of peft.
        sharded: Whether each process has only a part of the model (FSDP, DeepSpeed).
    """
    wants_gradients = args.conflict is not None or args.balancing in GRADIENT_BALANCING
    if wants_gradients and (sharded or args.n_gpu > 1):
        raise ValueError(
            "conflict and gradient balancing need the gradient of each task, which FSDP, DeepSpeed and DataParallel do "
            "not support; leave conflict out, and set balancing to sum, uncertainty or dwa"
        )
    if sharded and args.balancing == "uncertainty":
        raise ValueError(
            "balancing: uncertainty does not work with FSDP or DeepSpeed, because it has parameters outside the model; "
            "use sum or dwa"
        )
    if sharded and args.fits_heads:
        raise ValueError("fit_heads does not work with FSDP or DeepSpeed, which shard the weights; leave fit_heads out")
    if sharded and args.average is not None:
        raise ValueError("average does not work with FSDP or DeepSpeed, which shard the weights; leave average out")
    if sharded and isinstance(model, PeftModel):
        raise ValueError("lora does not work with FSDP or DeepSpeed; leave lora out, or run without FSDP and DeepSpeed")


def check_trial(args: MultiTaskTrainingArguments, built_with: dict[str, Any]) -> None:
    """Raise a `ValueError` if a trial of a hyperparameter search sets an argument that is read only at the start.

    Args:
        args: The arguments, which the trial has changed.
        built_with: The `fixed_arguments` with which the trainer was built.
    """
    for name, value in fixed_arguments(args).items():
        if value != built_with[name]:
            raise ValueError(
                f"{name}: a trial sets {value!r}, but the trainer was built with {built_with[name]!r}, and only reads "
                "it then; leave it out of the search, and run one search for each value"
            )


def fixed_arguments(args: MultiTaskTrainingArguments) -> dict[str, Any]:
    """Return the arguments that only the constructor of the trainer reads."""
    return {name: getattr(args, name) for name in ("freeze", "phases", "early_stopping_patience", "balancing")}


def check_model(model: Any) -> None:
    """Raise a `ValueError` if there is no model. transformers would call `model_init` only later."""
    if model is None:
        raise ValueError("model is missing; pass a model, in a hyperparameter search in addition to model_init")


def check_rows(rows: Any, args: MultiTaskTrainingArguments) -> None:
    """Raise a `ValueError` without training rows, or for batches by length if their lengths are not known.

    Args:
        rows: The training rows.
        args: The arguments.
    """
    if rows is not None and hasattr(rows, "__len__") and len(rows) == 0:
        raise ValueError("the training data set has no rows; give it at least one row with a label")
    by_length = "tokens_per_batch" if args.tokens_per_batch is not None else "train_sampling_strategy 'group_by_length'"
    # A stream is not grouped by length.
    grouped = args.train_sampling_strategy == "group_by_length" and hasattr(rows, "__len__")
    if rows is not None and not isinstance(rows, Dataset) and (args.tokens_per_batch is not None or grouped):
        raise ValueError(
            f"{by_length} needs the training rows as a datasets.Dataset, but they are a {type(rows).__name__}; "
            "use Dataset.from_list or Dataset.from_generator, or leave it out"
        )


def check_training_columns(rows: Any, tasks: list[TaskConfig]) -> None:
    """Raise a `ValueError` if training rows have no column of texts, or none for any task.

    Args:
        rows: The training rows. Only tables of `datasets` have columns.
        tasks: The model's tasks.
    """
    columns = getattr(rows, "column_names", None)
    if not columns:
        return
    there = f"its columns are {', '.join(map(repr, columns))}"
    if not {TEXT, "input_ids"} & set(columns):
        raise ValueError(
            f"the training data set has no column {TEXT!r}; {there}{nearest_hint(TEXT, columns)}; rename the column of "
            f"the texts, such as with rename_column({columns[0]!r}, {TEXT!r})"
        )
    names = [task.name for task in tasks]
    if not set(names) & set(columns):
        raise ValueError(
            f"the training data set has no labels: each task needs a column of its name ({', '.join(names)}), and "
            f"{there}; rename the column of the labels"
        )
