"""Each trial of a hyperparameter search has its own average, start embeddings and cache of frozen layers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase, TrainerCallback, integrations
from transformers import trainer as transformers_trainer
from transformers.hyperparameter_search import OptunaBackend

from modeling_multitask import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments
from modeling_multitask.training.averaging_mixin import AveragingCallback
from tests.conftest import rows_with_gaps, tasks_of_each_type, tiny_bert_config


class _Trials(OptunaBackend):
    """A backend with given trials. As with optuna, the trainer has no model between them."""

    @staticmethod
    def is_available() -> bool:
        return True

    def run(self, trainer: Any, n_trials: int, direction: str, **given: Any) -> None:
        for number, params in enumerate(given["trials"]):
            trainer.train(trial=SimpleNamespace(number=number, params=params))
            trainer.model_wrapped = trainer.model = None


class _Watch(TrainerCallback):
    """A callback that remembers the average, the first start embedding and the frozen layers of each trial."""

    def __init__(self) -> None:
        self.averages: list[Any] = []
        self.starts: list[list[float] | None] = []
        self.cached: list[bool] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        trainer = self.trainer
        (average,) = [each for each in trainer.callback_handler.callbacks if isinstance(each, AveragingCallback)]
        self.averages.append(average.average.decay)
        self.starts.append(trainer.train_dataset[0].get("start_embedding"))
        self.cached.append(trainer.prefix_cache is not None and trainer.prefix_cache.model is trainer.model)


@pytest.fixture
def search(tmp_path: Path, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run two trials of one step, each with its own parameters and a model of its own seed."""
    monkeypatch.setitem(transformers_trainer.ALL_HYPERPARAMETER_SEARCH_BACKENDS, "optuna", _Trials)
    monkeypatch.setattr(integrations, "hp_params", lambda trial: trial.params)
    seeds = iter(range(9))

    def model() -> MultiTaskModel:
        torch.manual_seed(next(seeds))
        return MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type()[:2]))

    def run(*trials: dict[str, Any], **settings: Any) -> _Watch:
        watch = _Watch()
        watch.trainer = MultiTaskTrainer(
            model(),
            MultiTaskTrainingArguments(
                str(tmp_path), max_steps=1, save_strategy="no", report_to="none", disable_tqdm=True, **settings
            ),
            train_dataset=rows_with_gaps(),
            processing_class=tokenizer,
            model_init=lambda trial: model(),
            callbacks=[watch],
        )
        watch.trainer.hyperparameter_search(lambda trial: trial.params, backend="optuna", trials=trials)
        return watch

    return run


def test_each_trial_has_its_own_average(search: Any) -> None:
    found = search({"average": {"ema": 0.9}}, {"average": {"ema": 0.5}})

    assert found.averages == [0.9, 0.5]


def test_each_trial_keeps_the_embedding_of_its_own_model(search: Any) -> None:
    found = search({"learning_rate": 1e-3}, {"learning_rate": 1e-3}, average={"ema": 0.9}, keep_embedding={"weight": 1})

    assert None not in found.starts
    assert found.starts[0] != found.starts[1]


def test_each_trial_caches_the_frozen_layers_of_its_own_model(search: Any) -> None:
    found = search({"average": {"ema": 0.9}}, {"average": {"ema": 0.9}}, freeze="backbone")

    assert found.cached == [True, True]


@pytest.mark.parametrize(
    "choice",
    [{"balancing": "dwa"}, {"freeze": "backbone"}, {"phases": [{"train": ["heads"]}]}, {"early_stopping_patience": 2}],
    ids=str,
)
def test_a_trial_cannot_set_an_argument_that_is_read_only_at_the_start(search: Any, choice: dict[str, Any]) -> None:
    (name,) = choice
    with pytest.raises(ValueError, match=f"^{name}: a trial sets .* run one search for each value$"):
        search(choice)
