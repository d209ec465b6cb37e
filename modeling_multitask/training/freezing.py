"""Which parts keep their weights, and that these run without dropout."""

from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState

from ..modeling_multitask import MultiTaskModel
from .arguments import MultiTaskTrainingArguments


def freeze(model: MultiTaskModel, what: str) -> None:
    """Lets the named part take no gradient; the rest stays as it is.

    Args:
        model: Changed in place.
        what: `none`, `backbone` or `everything`.
    """
    part = {"none": None, "backbone": model.backbone, "everything": model}[what]
    if part is not None:
        part.requires_grad_(False)


def put_frozen_in_eval_mode(module: nn.Module) -> None:
    """Switches off dropout wherever every parameter is frozen, so that what is frozen always gives the same."""
    trainable = [parameter.requires_grad for parameter in module.parameters()]
    if trainable and not any(trainable):
        module.eval()
    else:
        for child in module.children():
            put_frozen_in_eval_mode(child)


class FreezeCallback(TrainerCallback):
    """Freezes when training begins: by then the optimizer holds every parameter.

    Frozen earlier, a parameter would be in no optimizer group and would never move once it is unfrozen.
    """

    def on_train_begin(
        self,
        args: MultiTaskTrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: MultiTaskModel,
        **kwargs: object,
    ) -> None:
        if args.freeze == "everything":
            raise ValueError("freeze is 'everything', which leaves nothing to train; call evaluate() alone")
        freeze(model, args.freeze)
