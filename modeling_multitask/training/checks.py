"""Arguments that do not go together, or would silently train something else than they say."""

from typing import Any

from peft import PeftModel

from ..modeling_multitask import MultiTaskModel
from .arguments import MultiTaskTrainingArguments
from .balancing_methods import GRADIENT_BALANCING
from .freezing import trained_parameters
from .metric_names import evaluated_metrics
from .parameter_groups import parameter_depths, plain_name
from .phases import phase_problems


def check_arguments(args: MultiTaskTrainingArguments, kwargs: dict[str, Any]) -> None:
    """Refuses what would silently train something else."""
    if args.label_smoothing_factor:
        raise ValueError(
            f"label_smoothing_factor is {args.label_smoothing_factor}, but it knows only one task; "
            "give each task its own label_smoothing"
        )
    if not args.average_tokens_across_devices:
        raise ValueError("average_tokens_across_devices is false, but labels are always counted over all processes")
    if args.mixed_precision == "fp16" and args.device.type == "cpu":
        raise ValueError("fp16 is wanted, but on a CPU all would silently be in float32; use bf16, or leave it out")
    if args.restore_callback_states_from_checkpoint:
        raise ValueError(
            "restore_callback_states_from_checkpoint is true, but transformers cannot build phases and balancing anew; "
            "leave it out, they restore themselves"
        )
    if kwargs.get("compute_loss_func") is not None:
        raise ValueError("compute_loss_func is given, but the model computes the loss of each task itself")
    if kwargs.get("optimizers", (None, None))[0] is not None and (args.learning_rates or args.phases):
        raise ValueError("an optimizer is given, which has its own rates; leave it out, or learning_rates and phases")
    by_batch = args.tokens_per_batch is not None or args.train_sampling_strategy not in ("random", "group_by_length")
    if by_batch and args.sampler().strategy != "concatenated":
        other = (
            "tokens_per_batch" if args.tokens_per_batch else f"train_sampling_strategy {args.train_sampling_strategy}"
        )
        raise ValueError(f"sampling.strategy {args.sampler().strategy!r} does not go with {other}; leave one out")


def check_phases(args: MultiTaskTrainingArguments, model: MultiTaskModel, trainable: set[str]) -> None:
    """Refuses phases and rates that do not fit the model."""
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
            raise ValueError(f"phases: training {phase.describe()} leaves nothing to train")
        if (problem := rates.problem(plain, top, trained)) is not None:
            raise ValueError(f"learning_rates: {problem}")


def check_processes(args: MultiTaskTrainingArguments, model: MultiTaskModel | PeftModel, *, sharded: bool) -> None:
    """Refuses what does not go with the way in which the model is spread.

    Args:
        args: What to train.
        model: The model, with adapters or without.
        sharded: Whether each process holds only a part of the model (FSDP, DeepSpeed).
    """
    wants_gradients = args.conflict is not None or args.balancing in GRADIENT_BALANCING
    if wants_gradients and (sharded or args.n_gpu > 1):
        raise ValueError("the gradient of each task is asked for, but FSDP, DeepSpeed and DataParallel have none whole")
    if sharded and args.balancing == "uncertainty":
        raise ValueError("balancing: uncertainty learns beside the model, which FSDP and DeepSpeed do not allow for")
    if sharded and isinstance(model, PeftModel):
        raise ValueError("lora does not go with FSDP or DeepSpeed yet; adapters are small enough for plain processes")
