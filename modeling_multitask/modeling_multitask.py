"""One encoder, many heads, one forward pass.

Shapes: B rows, T tokens, D width of the encoder, C classes of one task.
"""

import importlib.util
import inspect
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CONFIG_MAPPING, AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel, initialization
from transformers.activations import ACT2FN
from transformers.utils import ModelOutput, can_return_tuple

from .configuration_multitask import MultiTaskConfig, first_position
from .kinds_multitask import CumulativeLogits
from .losses_multitask import masked_loss
from .pipeline_multitask import CUSTOM_PIPELINES
from .pooling_multitask import join_windows, pool
from .sentence_transformers_multitask import read_embedding_settings, write_sentence_transformers_files
from .tasks_multitask import HeadConfig, TaskConfig
from .words_multitask import nearest_hint

# Every encoder of transformers takes these, some of them only in **kwargs.
_OUTPUT_SWITCHES = ("output_hidden_states", "output_attentions")
_HUB_KWARGS = ("revision", "token", "cache_dir", "local_files_only", "force_download")


@dataclass
class MultiTaskOutput(ModelOutput):
    """What a [`MultiTaskModel`] returns for one batch.

    Args:
        loss: (), the weighted sum of the task losses; only with labels.
        logits: For each task, (B, C); (B, 1) for a binary task or a regression, (B, C - 1) for an ordinal regression.
        embeddings: (B, D), pooled, and normalised where the model normalises.
        last_hidden_state: (B, T, D), the encoder's token states.
        task_losses: For each task, (), before its weight; only with labels.
        hidden_states: The encoder's, if asked for.
        attentions: The encoder's, if asked for.
    """

    loss: Tensor | None = None
    # Always there; a ModelOutput wants a default of every field.
    logits: dict[str, Tensor] = None  # type: ignore[assignment]
    embeddings: Tensor = None  # type: ignore[assignment]
    last_hidden_state: Tensor | None = None
    task_losses: dict[str, Tensor] | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class MultiTaskModel(PreTrainedModel):
    """An encoder whose pooled sentence embedding feeds one head for each task.

    Build one on a pretrained encoder with [`~MultiTaskModel.from_backbone`]; load a trained one with
    `from_pretrained`.
    """

    config_class = MultiTaskConfig
    base_model_prefix = "backbone"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    # Said outright: else the Trainer would conclude it from **kwargs in `forward`.
    accepts_loss_kwargs = True
    # Whether an attention implementation can be had is for the backbone to say.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    def __init__(self, config: MultiTaskConfig) -> None:
        super().__init__(config)
        self.backbone = _build_backbone(config.backbone_config)
        _check_positions(self.backbone, config)
        self.heads = TaskHeads(config)
        self._backbone_inputs = {*inspect.signature(self.backbone.forward).parameters, *_OUTPUT_SWITCHES}
        self.post_init()

    @classmethod
    def from_backbone(
        cls,
        pretrained_model_name_or_path: str | os.PathLike,
        tasks: Sequence[TaskConfig | dict[str, Any]],
        *,
        pooling: str | None = None,
        normalize: bool | None = None,
        head: HeadConfig | dict[str, Any] | None = None,
        max_length: int | None = None,
        long_texts: str = "truncate",
        **kwargs: Any,
    ) -> "MultiTaskModel":
        """A pretrained encoder with new heads, in float32 unless `dtype` says otherwise.

        What is left out comes from the backbone's own sentence-transformers files where it has them, else
        it is mean pooling, no normalisation, and 512 tokens or the encoder's limit, whichever is less.

        Args:
            pretrained_model_name_or_path: Hub id, folder, or `package:NAME/FOLDER` for a folder inside an
                installed Python package.
            tasks: The tasks, in order; each a `TaskConfig` or a dict of its fields.
            pooling: One of cls, mean, max, lasttoken, weightedmean, mean_sqrt_len.
            normalize: Whether embeddings have length 1.
            head: Head of every task that brings none of its own.
            max_length: Number of tokens beyond which a text is cut.
            long_texts: What becomes of a longer text: truncate or windows.
            kwargs: As for `AutoModel.from_pretrained`: `revision`, `token`, `dtype`, ..., and words of the
                encoder's configuration, such as `hidden_dropout_prob=0.0`.

        Raises:
            ValueError: If the tasks or settings cannot make a model, or the backbone needs remote code.
            OSError: If there is no such backbone.
        """
        path = resolve_model_path(pretrained_model_name_or_path)
        hub_kwargs = {key: kwargs.pop(key) for key in _HUB_KWARGS if key in kwargs}
        settings = read_embedding_settings(path, **hub_kwargs)
        hub_kwargs["subfolder"] = kwargs.pop("subfolder", settings.subfolder)
        # transformers 5 loads in the dtype of the file; training in half precision must be asked for.
        load_kwargs = {"dtype": torch.float32}
        load_kwargs |= {key: kwargs.pop(key) for key in ("dtype", "attn_implementation") if key in kwargs}
        backbone_config, kwargs = _read_backbone_config(path, hub_kwargs, kwargs)
        config = cls.config_class(
            backbone_config=backbone_config,
            tasks=list(tasks),
            pooling=pooling or settings.pooling or "mean",
            normalize=bool(settings.normalize) if normalize is None else normalize,
            head=head,
            max_length=settings.max_length if max_length is None else max_length,
            long_texts=long_texts,
            name_or_path=path,
        )
        model = cls(config)
        model.backbone = AutoModel.from_pretrained(path, config=backbone_config, **hub_kwargs, **load_kwargs, **kwargs)
        if _no_pooler(backbone_config):
            model.backbone.pooler = None  # loaded and dropped: loaded without, it would be reported as unexpected
        model.config.backbone_config = model.backbone.config
        return model.to(model.backbone.dtype).eval()

    @can_return_tuple
    def forward(  # noqa: PLR0913, as encoders of transformers have it
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        embeddings: Tensor | None = None,
        overflow_to_sample_mapping: Tensor | None = None,
        labels: dict[str, Tensor] | None = None,
        num_items_in_batch: dict[str, Tensor] | None = None,
        **kwargs: Any,
    ) -> MultiTaskOutput:
        """Every task's logits, and their loss if there are labels.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T), 1 at tokens and 0 at padding; all tokens if left out.
            token_type_ids: (B, T); passed on only to an encoder that has segments.
            position_ids: (B, T), likewise.
            inputs_embeds: (B, T, D), instead of `input_ids`.
            embeddings: (B, D), what the model gave for these rows before; instead of tokens, and the encoder rests.
            overflow_to_sample_mapping: (B,), the text that each row is a window of, as the tokenizer says with
                `return_overflowing_tokens`; outputs then have one row for each text.
            labels: By task name: (B,) class ids, (B, C) zeros and ones for a multi-label task, (B,) numbers
                for a regression. Missing: -100, NaN for a regression. A task may be left out altogether.
            num_items_in_batch: By task name, (), what its loss is divided by where this batch is only part of
                an optimizer step; left out, the labelled entries of this batch.
            kwargs: `output_hidden_states` and the like; what the encoder does not know is ignored, since
                `pipeline()` passes whatever the tokenizer returns.
        """
        encoded = None
        if embeddings is None:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "inputs_embeds": inputs_embeds}
            optional = {"token_type_ids": token_type_ids, "position_ids": position_ids, **kwargs}
            encoded = self._encode(inputs, optional)
            embeddings = self._embed(encoded.last_hidden_state, attention_mask, overflow_to_sample_mapping)
        logits = self.heads(embeddings)
        loss, task_losses = None, None
        if labels is not None:
            task_losses = self._task_losses(logits, labels, num_items_in_batch or {})
            loss = sum(task.weight * task_losses[task.name] for task in self.config.tasks)
        return MultiTaskOutput(
            loss=loss,
            logits=logits,
            embeddings=embeddings,
            task_losses=task_losses,
            **{name: encoded.get(name) for name in ("last_hidden_state", "hidden_states", "attentions") if encoded},
        )

    def embed(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        overflow_to_sample_mapping: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """(B, D), the embeddings alone, as `forward` gives them for the same arguments; no head is asked."""
        encoded = self._encode({"input_ids": input_ids, "attention_mask": attention_mask}, kwargs)
        return self._embed(encoded.last_hidden_state, attention_mask, overflow_to_sample_mapping)

    def save_pretrained(self, save_directory: str | os.PathLike, is_main_process: bool = True, **kwargs: Any) -> None:
        """Saves weights, configuration and code, so that the folder loads without this package.

        The folder is an AutoModel repository, a pipeline repository and a SentenceTransformer at once; only
        the tokenizer is still to be saved beside it.

        Raises:
            ValueError: If the model's class is defined in a script or notebook, whose code cannot be saved.
        """
        if type(self).__module__ == "__main__":  # transformers warns, and saves a model that nobody can load
            raise ValueError(
                f"{type(self).__name__} is defined in a script or notebook; put it into a module, and import that"
            )
        self.config.custom_pipelines = CUSTOM_PIPELINES
        super().save_pretrained(save_directory, is_main_process=is_main_process, **kwargs)
        if is_main_process:
            write_sentence_transformers_files(self.config, Path(save_directory))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, CumulativeLogits):
            initialization.zeros_(module.cuts)

    def _encode(self, inputs: dict[str, Tensor | None], optional: dict[str, Any]) -> ModelOutput:
        """The encoder's output; what it does not know of the optional inputs is left out."""
        # A decoder would keep its keys and values for a next token, which nobody asks for.
        optional = {"use_cache": False, **optional}
        known = {name: value for name, value in optional.items() if name in self._backbone_inputs and value is not None}
        return self.backbone(**inputs, **known)

    def _embed(self, states: Tensor, attention_mask: Tensor | None, window_texts: Tensor | None) -> Tensor:
        """(B, D) from token states (B, T, D)."""
        normalize = self.config.normalize
        embeddings = pool(states, attention_mask, self.config.pooling)
        embeddings = F.normalize(embeddings, dim=-1) if normalize else embeddings
        if window_texts is None:
            return embeddings
        tokens = states.new_full(states.shape[:1], states.shape[1]) if attention_mask is None else attention_mask.sum(1)
        return join_windows(embeddings, window_texts, tokens, normalize=normalize)

    def _task_losses(
        self, logits: dict[str, Tensor], labels: dict[str, Tensor], divisors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        if unknown := [name for name in labels if name not in logits]:
            raise ValueError(
                f"labels are given for {unknown[0]!r}, which is not a task of this model "
                f"({', '.join(logits)}){nearest_hint(unknown[0], list(logits))}"
            )
        losses = {}
        for task in self.config.tasks:
            # A task without labels takes part all the same: DDP waits for a gradient of every parameter.
            given = labels.get(task.name, _all_missing(logits[task.name], task))
            losses[task.name] = masked_loss(logits[task.name], given, task, divisors.get(task.name))
        return losses


class TaskHeads(nn.Module):
    """One head for each task, all fed the same embedding.

    A plain module with a `forward`, not a `ModuleDict`: peft cannot wrap the latter.
    """

    def __init__(self, config: MultiTaskConfig) -> None:
        super().__init__()
        for task in config.tasks:
            self.add_module(task.name, _build_head(task.head or config.head, config.hidden_size, task))

    def forward(self, embeddings: Tensor) -> dict[str, Tensor]:
        """(B, D) to a dict of (B, C) by task name."""
        return {name: head(embeddings) for name, head in self.named_children()}


def resolve_model_path(model: str | os.PathLike) -> str:
    """The folder behind `package:NAME/FOLDER`; a Hub id or a folder as it is.

    Raises:
        FileNotFoundError: If the package is not installed or has no such folder.
    """
    model = os.fspath(model)
    if not model.startswith("package:"):
        return model
    package, _, folder = model.removeprefix("package:").partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"{model}: no Python package {package!r} is installed; install the one that holds the model"
        )
    path = Path(spec.submodule_search_locations[0]) / folder
    if not path.is_dir():
        raise FileNotFoundError(f"{model}: the package {package!r} has no folder {folder!r}")
    return str(path)


def _read_backbone_config(
    path: str, hub_kwargs: dict[str, Any], kwargs: dict[str, Any]
) -> tuple[PreTrainedConfig, dict[str, Any]]:
    """The encoder's configuration, changed as the user's words say, and the words that are not its."""
    content, _ = PreTrainedConfig.get_config_dict(path, **hub_kwargs)
    if "auto_map" in content and content.get("model_type") not in CONFIG_MAPPING:
        raise ValueError(
            f"{path} needs remote code of its own, and cannot be the backbone of a folder that loads alone"
        )
    config, unused = AutoConfig.from_pretrained(path, return_unused_kwargs=True, **hub_kwargs, **kwargs)
    return config, unused


def _build_backbone(config: Any) -> PreTrainedModel:
    return AutoModel.from_config(config, **_no_pooler(config))


def _check_positions(backbone: PreTrainedModel, config: MultiTaskConfig) -> None:
    """Refuses a length for which an encoder with numbered positions has no numbers."""
    tables = [m for name, m in backbone.named_modules() if name.endswith("position_embeddings")]
    sizes = [table.num_embeddings for table in tables if isinstance(table, nn.Embedding)]
    limit = min(sizes, default=math.inf) - first_position(config.backbone_config)
    if config.max_length is not None and config.max_length > limit:
        raise ValueError(f"max_length is {config.max_length}, but this encoder takes at most {limit} tokens")


def _no_pooler(config: Any) -> dict[str, bool]:
    """`add_pooling_layer=False` for the encoders that know it: an unused pooler gets no gradient, which stops DDP."""
    model_class = AutoModel._model_mapping[type(config)]
    known = "add_pooling_layer" in inspect.signature(model_class.__init__).parameters
    return {"add_pooling_layer": False} if known else {}


def _build_head(config: HeadConfig, width: int, task: TaskConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, size in enumerate(config.hidden_sizes):
        if i > 0:
            layers.append(nn.Dropout(config.dropout))
        layers.append(nn.Linear(width, size))
        if config.normalization == "layer":
            layers.append(nn.LayerNorm(size))
        layers.append(ACT2FN[config.activation])
        width = size
    return nn.Sequential(*layers, task.kind.output_layer(width, len(task.labels or ())))


def _all_missing(logits: Tensor, task: TaskConfig) -> Tensor:
    kind = task.kind
    return torch.full(kind.label_shape(logits), kind.missing, dtype=kind.label_dtype, device=logits.device)


MultiTaskModel.register_for_auto_class("AutoModel")
