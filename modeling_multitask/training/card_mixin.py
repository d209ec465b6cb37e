"""The part of the Trainer that writes the model card."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from peft import PeftModel
from transformers import Trainer, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import HubStrategy

from ..hub.card_merge import is_signed, merge_cards
from ..hub.upload import CARD, Target, look, patiently


class CardMixin(Trainer):
    """The part of a `MultiTaskTrainer` that writes the card of this package, never that of transformers.

    The card of transformers would show ways to load the model that do not work.
    """

    create_card: Callable[..., str] | None
    _card_on_hub: str | None = None

    def create_model_card(self, **settings: Any) -> None:
        """Write the card into `output_dir`. A card by hand stays, and so do the edits of a generated card.

        Args:
            settings: Passed to `create_card`, such as `license` and `language`.

        Raises:
            ValueError: If there is no card, and none can be created.
        """
        if not self.is_world_process_zero() or self._has_card_by_hand():
            return
        self._check_card()
        path = Path(self.args.output_dir) / CARD
        card = self.create_card(self, **settings) if self.create_card else ""
        for existing in (path.read_text(encoding="utf-8") if path.exists() else None, self._card_on_hub):
            card = card if existing is None else merge_cards(existing, card)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(card, encoding="utf-8")

    def push_to_hub(self, *args: Any, token: str | None = None, revision: str | None = None, **kwargs: Any) -> Any:
        """Push the model and its card as `Trainer.push_to_hub` does. The edits of the card on the Hub are kept.

        Raises:
            ValueError: If there is no card, and none can be created. Nothing is pushed.
        """
        if not self._has_card_by_hand():
            self._check_card()
            if self.hub_model_id is None:
                self.init_hf_repo(token=token, private=kwargs.get("private"))
            self._read_card_on_hub(token, revision)
        return super().push_to_hub(*args, token=token, revision=revision, **kwargs)

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        # transformers copies the weights and config.json alone, and the model would not load. The code of the model,
        # its sentence-transformers files and the card belong to it.
        if self.is_world_process_zero() and self.args.hub_strategy != HubStrategy.END:
            for path in Path(checkpoint_folder).rglob("*"):
                if path.is_file() and path.suffix in (".py", ".json") and path.name != TRAINER_STATE_NAME:
                    target = Path(self.args.output_dir) / path.relative_to(checkpoint_folder)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, target)
            self._read_card_on_hub()
            self.create_model_card()
        super()._push_from_checkpoint(checkpoint_folder)

    def _read_card_on_hub(self, token: str | None = None, revision: str | None = None) -> None:
        if self.is_world_process_zero():
            target = Target(str(self.hub_model_id), revision=revision or self.args.hub_revision)
            self._card_on_hub = _card_of(target, token or self.args.hub_token)

    def _has_card_by_hand(self) -> bool:
        path = Path(self.args.output_dir) / CARD
        return path.exists() and not is_signed(path.read_text(encoding="utf-8"))

    def _check_card(self) -> None:
        if isinstance(self.model, PeftModel):
            raise ValueError(
                "the Trainer would push the LoRA adapter without its base model; merge the adapter, save the model, "
                "and push it with `multitask push`"
            )
        if self.create_card is None:
            raise ValueError(_no_card_problem(self.args.output_dir))


def check_pushed_card(args: TrainingArguments, create_card: Callable[..., str] | None) -> None:
    """Raise a `ValueError` before training if `push_to_hub` is set and the push would have no card."""
    if args.push_to_hub and create_card is None and not (Path(args.output_dir) / CARD).exists():
        raise ValueError(_no_card_problem(args.output_dir))


def _no_card_problem(output_dir: str | None) -> str:
    return (
        "create_card is missing, and the model card of transformers would be wrong for this model; pass "
        "create_card=modeling_multitask.publishing.trainer_card to the Trainer, write a README.md into "
        f"{output_dir}, or push the saved model with `multitask push`"
    )


def _card_of(target: Target, token: str | None) -> str | None:
    api = HfApi(token=token)
    there = patiently(lambda: look(api, target), api)
    return there and there.card
