"""The multi-task model: one encoder, one head for each task, one forward pass.

Shapes: B rows, T tokens, D width of the encoder, C classes of one task.
"""

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
from transformers import AutoTokenizer, PreTrainedModel, initialization
from transformers.utils import ModelOutput, can_return_tuple

from .backbone_multitask import build_backbone, load_backbone, most_tokens, read_backbone_config
from .configuration_multitask import DEFAULT_MAX_LENGTH, MultiTaskConfig
from .dense_multitask import Dense
from .heads_multitask import TaskHeads
from .losses_multitask import masked_loss
from .output_layers_multitask import CumulativeLogits, StandardizedLinear
from .paths_multitask import resolve_model_path
from .pipeline_multitask import CUSTOM_PIPELINES
from .pooling_multitask import join_windows, pool
from .sentence_transformers_multitask import (
    load_dense,
    read_embedding_settings,
    write_dense,
    write_sentence_transformers_files,
)
from .tasks_multitask import HeadConfig, TaskConfig
from .weights_multitask import StoredTensors, check_weights, stored_tensors
from .words_multitask import nearest_hint

# Every encoder of transformers accepts these, some of them only in **kwargs.
_OUTPUT_SWITCHES = ("output_hidden_states", "output_attentions")
_HUB_KWARGS = ("revision", "token", "cache_dir", "local_files_only", "force_download")


@dataclass
class MultiTaskOutput(ModelOutput):
    """The output of a [`MultiTaskModel`] for one batch.

    Args:
        loss: (), the weighted sum of the task losses. Only with labels.
        last_hidden_state: (B, T, D), the encoder's token states. `None` if `embeddings` were passed.
        logits: By task name, (B, C). (B, 1) for a binary task or a regression, (B, C - 1) for an ordinal regression.
        embeddings: (B, D), pooled, passed through the dense layers, and normalised if `config.normalize` is true.
        task_losses: By task name, (), before the task's weight is applied. Only with labels.
        hidden_states: The encoder's hidden states, with `output_hidden_states=True`.
        attentions: The encoder's attentions, with `output_attentions=True`.

    Example:
        >>> import torch
        >>> from modeling_multitask import MultiTaskConfig, MultiTaskModel
        >>> from transformers import BertConfig
        >>> tasks = [{"name": "topic", "problem_type": "single_label_classification", "labels": ["art", "sport"]}]
        >>> model = MultiTaskModel(MultiTaskConfig(backbone_config=BertConfig(num_hidden_layers=1), tasks=tasks))
        >>> output = model(input_ids=torch.tensor([[101, 102]]), labels={"topic": torch.tensor([1])})
        >>> output.logits["topic"].shape, output.embeddings.shape
        (torch.Size([1, 2]), torch.Size([1, 768]))
    """

    loss: Tensor | None = None
    last_hidden_state: Tensor | None = None  # without labels the first one, as in every encoder of transformers
    # Never None, but a ModelOutput requires a default for every field.
    logits: dict[str, Tensor] = None  # type: ignore[assignment]
    embeddings: Tensor = None  # type: ignore[assignment]
    task_losses: dict[str, Tensor] | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class MultiTaskModel(PreTrainedModel):
    """An encoder whose pooled sentence embedding feeds one head for each task.

    Build a model on a pretrained encoder with [`~MultiTaskModel.from_backbone`]. Load a trained model with
    `from_pretrained`.

    Example:
        >>> from modeling_multitask import MultiTaskModel
        >>> from transformers import AutoTokenizer
        >>> encoder = "sentence-transformers/all-MiniLM-L6-v2"
        >>> tasks = [{"name": "topic", "problem_type": "single_label_classification", "labels": ["art", "sport"]}]
        >>> model = MultiTaskModel.from_backbone(encoder, tasks)
        >>> tokenizer = AutoTokenizer.from_pretrained(encoder)
        >>> output = model(**tokenizer(["The home team won."], return_tensors="pt"))
        >>> output.logits["topic"].shape
        torch.Size([1, 2])
    """

    config_class = MultiTaskConfig
    base_model_prefix = "backbone"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    # Set explicitly: otherwise the Trainer would infer it from **kwargs in `forward`.
    accepts_loss_kwargs = True
    # The backbone decides which attention implementations are available.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    # The numbers of a regression need more digits than half precision has, and version 0.1 did not save these buffers.
    _keep_in_fp32_modules_strict = ("target_mean", "target_std")
    _keys_to_ignore_on_load_missing = (r"\.target_(mean|std)$",)

    def __init__(self, config: MultiTaskConfig, stored_tensors: StoredTensors | None = None) -> None:
        if config.model_type != MultiTaskConfig.model_type:
            raise ValueError(
                f"{config.name_or_path or 'the model'} is a plain encoder ({config.model_type}); add heads to it with "
                "MultiTaskModel.from_backbone"
            )
        super().__init__(config)
        if stored_tensors is not None:
            stored_tensors.check_counts(config.backbone_config.to_dict())
        self.backbone = build_backbone(config.backbone_config)
        _set_max_length(self.backbone, config)
        self.dense = nn.Sequential(*(Dense(layer) for layer in config.dense))
        self.heads = TaskHeads(config)
        if stored_tensors is not None:
            stored_tensors.check_shapes(self)
        self._backbone_inputs = {*inspect.signature(self.backbone.forward).parameters, *_OUTPUT_SWITCHES}
        self.post_init()

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether layers recompute their activations. peft asks for this name, and transformers warns about it."""
        return any(getattr(module, "gradient_checkpointing", False) for module in self.modules())

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike | None, *model_args: Any, **kwargs: Any
    ) -> Any:
        """Load a trained model. The arguments are those of `PreTrainedModel.from_pretrained`.

        The weights must fit the model exactly: transformers alone fills a layer that the file lacks with random
        numbers. With `ignore_mismatched_sizes=True`, tensors of other shapes are random, as in transformers.

        Raises:
            WeightsError: If the file is damaged, lacks a tensor or has one that the model does not have, or if a tensor
                has another shape, whole numbers, NaN or infinite numbers.
            OSError: If the model is not found.
        """
        if pretrained_model_name_or_path is not None:
            pretrained_model_name_or_path = resolve_model_path(pretrained_model_name_or_path)
        place, wants_info = str(pretrained_model_name_or_path), kwargs.pop("output_loading_info", False)
        stored = None
        if pretrained_model_name_or_path is not None and not kwargs.get("ignore_mismatched_sizes"):
            hub_kwargs = {name: kwargs[name] for name in (*_HUB_KWARGS, "subfolder") if kwargs.get(name) is not None}
            stored = stored_tensors(place, variant=kwargs.get("variant"), **hub_kwargs)
        model, info = super().from_pretrained(
            pretrained_model_name_or_path, *model_args, stored_tensors=stored, output_loading_info=True, **kwargs
        )
        check_weights(place, model, info, stored)
        return (model, info) if wants_info else model

    @classmethod
    def from_backbone(  # noqa: PLR0913, the settings of a model
        cls,
        pretrained_model_name_or_path: str | os.PathLike,
        tasks: Sequence[TaskConfig | dict[str, Any]],
        *,
        pooling: str | None = None,
        normalize: bool | None = None,
        head: HeadConfig | dict[str, Any] | None = None,
        max_length: int | None = None,
        long_texts: str = "truncate",
        prompt_name: str | None = None,
        prompt: str | None = None,
        **kwargs: Any,
    ) -> "MultiTaskModel":
        """Build a model from a pretrained encoder and new heads, in float32 unless `dtype` is given.

        The defaults of `pooling`, `normalize`, `max_length` and the prompt, and the dense layers, come from the
        backbone's sentence-transformers files. Without such files they are mean pooling, no normalisation, the smaller
        of 512 tokens and the encoder's limit, and neither a prompt nor dense layers.

        Args:
            pretrained_model_name_or_path: Hub id, folder, or `package:NAME/FOLDER` for a folder inside an
                installed Python package.
            tasks: The tasks, in order. Each is a `TaskConfig` or a dict of its fields.
            pooling: One of cls, mean, max, lasttoken, weightedmean, mean_sqrt_len.
            normalize: Whether embeddings are scaled to length 1.
            head: Head of every task that does not define its own.
            max_length: Maximum number of tokens of a text.
            long_texts: How longer texts are handled: truncate or windows.
            prompt_name: The name of one of the backbone's own prompts, which is put before each text.
            prompt: The text that is put before each text, instead of a name. An empty text is no prompt.
            kwargs: Arguments of `AutoModel.from_pretrained`, such as `revision`, `token` and `dtype`, and fields of
                the encoder's configuration, such as `hidden_dropout_prob=0.0`.

        Raises:
            ValueError: If the tasks or settings are invalid, or the backbone needs remote code or lacks the prompt.
            OSError: If the backbone is not found.

        Example:
            >>> from modeling_multitask import MultiTaskModel
            >>> model = MultiTaskModel.from_backbone(
            ...     "sentence-transformers/all-MiniLM-L6-v2",
            ...     tasks=[
            ...         {"name": "topic", "problem_type": "single_label_classification", "labels": ["art", "sport"]},
            ...         {"name": "rating", "problem_type": "regression"},
            ...     ],
            ...     max_length=128,
            ... )
        """
        path = resolve_model_path(pretrained_model_name_or_path)
        hub_kwargs = {key: kwargs.pop(key) for key in _HUB_KWARGS if key in kwargs}
        settings = read_embedding_settings(path, **hub_kwargs)
        hub_kwargs["subfolder"] = kwargs.pop("subfolder", settings.subfolder)
        # transformers 5 loads in the dtype of the file. Half precision must be requested explicitly.
        load_kwargs = {"dtype": torch.float32}
        load_kwargs |= {key: kwargs.pop(key) for key in ("dtype", "attn_implementation") if key in kwargs}
        backbone_config, kwargs = read_backbone_config(path, hub_kwargs, kwargs)
        config = cls.config_class(
            backbone_config=backbone_config,
            tasks=list(tasks),
            pooling=pooling or settings.pooling or "mean",
            normalize=bool(settings.normalize) if normalize is None else normalize,
            head=head,
            max_length=settings.max_length if max_length is None else max_length,
            long_texts=long_texts,
            dense=settings.dense,
            prompts=settings.prompts,
            default_prompt_name=settings.default_prompt_name,
            include_prompt=settings.include_prompt,
            name_or_path=path,
        )
        kwargs |= {**hub_kwargs, **load_kwargs}
        backbone, width = load_backbone(path, config.backbone_config, **kwargs)
        if not config.dense:
            config.embedding_size = width
        elif config.dense[0].in_features != width:
            raise ValueError(
                f"{path}: its dense layer takes {config.dense[0].in_features} values, but its encoder returns {width}; "
                "choose another backbone"
            )
        model = cls(config)
        model.backbone = backbone
        model.config.backbone_config = model.backbone.config
        if prompt_name is not None or prompt is not None or config.prompt:
            tokenizer = AutoTokenizer.from_pretrained(path, **hub_kwargs)
            model.config = model.config.with_prompt(tokenizer, prompt_name, prompt)
        load_dense(path, settings, model.dense, **{**hub_kwargs, "subfolder": ""})
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
        sample_weight: Tensor | None = None,
        num_items_in_batch: dict[str, Tensor] | None = None,
        **kwargs: Any,
    ) -> MultiTaskOutput:
        """Return every task's logits, and the loss if labels are given.

        Args:
            input_ids: (B, T).
            attention_mask: (B, T), 1 for tokens and 0 for padding. By default every position is a token.
            token_type_ids: (B, T). Passed only to an encoder that has segments.
            position_ids: (B, T). Passed only to an encoder that takes them.
            inputs_embeds: (B, T, D), instead of `input_ids`.
            embeddings: (B, D), cached embeddings of these rows, instead of tokens. The encoder is skipped.
            overflow_to_sample_mapping: (B,), the text that each row is a window of, as returned by the tokenizer with
                `return_overflowing_tokens`. The outputs then have one row for each text.
            labels: By task name: (B,) class ids, (B, C) zeros and ones for a multi-label task, (B,) numbers
                for a regression; or (B, C) probabilities. Missing labels are -100, or NaN. Tasks may be omitted.
            sample_weight: (B,), the weight of each row in the losses. By default 1.
            num_items_in_batch: By task name, (), the divisor of the loss if this batch is only part of an optimizer
                step. By default the number of labelled entries of this batch.
            kwargs: Such as `output_hidden_states`. Arguments that the encoder does not know are ignored, because
                `pipeline()` passes everything that the tokenizer returns.

        Raises:
            ValueError: If labels are given for an unknown task, or a label on the CPU is invalid.
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
            task_losses = self._task_losses(logits, labels, sample_weight, num_items_in_batch or {})
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
        """Return the embeddings, (B, D), without running the heads. They equal the `embeddings` of `forward`."""
        encoded = self._encode({"input_ids": input_ids, "attention_mask": attention_mask}, kwargs)
        return self._embed(encoded.last_hidden_state, attention_mask, overflow_to_sample_mapping)

    def save_pretrained(self, save_directory: str | os.PathLike, is_main_process: bool = True, **kwargs: Any) -> None:
        """Save weights, configuration and code, so that the folder loads without this package.

        The folder works with `AutoModel`, `pipeline()` and `SentenceTransformer`. Save the tokenizer to the same
        folder.

        Raises:
            ValueError: If the model's class is defined in a script or notebook. Its code cannot be saved.

        Example:
            >>> model.save_pretrained("my-model")
            >>> tokenizer.save_pretrained("my-model")
        """
        if type(self).__module__ == "__main__":  # transformers only warns, and saves a model that does not load
            raise ValueError(
                f"{type(self).__name__} is defined in a script or notebook, so its code cannot be saved; "
                "move the class to a module and import it"
            )
        self.config.custom_pipelines = CUSTOM_PIPELINES
        super().save_pretrained(save_directory, is_main_process=is_main_process, **kwargs)
        if is_main_process:
            write_sentence_transformers_files(self.config, Path(save_directory))
            write_dense(kwargs.get("state_dict") or self.state_dict(), self.config, Path(save_directory))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, CumulativeLogits):
            initialization.zeros_(module.cuts)
        if isinstance(module, StandardizedLinear):
            module.reset_buffers()

    def _encode(self, inputs: dict[str, Tensor | None], optional: dict[str, Any]) -> ModelOutput:
        """Return the encoder's output. Optional inputs that the encoder does not know are dropped."""
        # A decoder would cache its keys and values, which are never used.
        optional = {"use_cache": False, **optional}
        known = {name: value for name, value in optional.items() if name in self._backbone_inputs}
        return self.backbone(**{name: value for name, value in {**inputs, **known}.items() if value is not None})

    def _embed(self, states: Tensor, attention_mask: Tensor | None, window_texts: Tensor | None) -> Tensor:
        """Return embeddings, (B, D), from token states, (B, T, D)."""
        normalize = self.config.normalize
        embeddings = self.dense(pool(states, attention_mask, self.config.pooling, skipped=self.config.prompt_length))
        embeddings = F.normalize(embeddings, dim=-1) if normalize else embeddings
        if window_texts is None:
            return embeddings
        tokens = states.new_full(states.shape[:1], states.shape[1]) if attention_mask is None else attention_mask.sum(1)
        return join_windows(embeddings, window_texts, tokens, normalize=normalize)

    def _task_losses(
        self, logits: dict[str, Tensor], labels: dict[str, Tensor], weights: Tensor | None, divisors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        if unknown := [name for name in labels if name not in logits]:
            raise ValueError(
                f"labels are given for {unknown[0]!r}, which is not a task of this model "
                f"({', '.join(logits)}){nearest_hint(unknown[0], list(logits))}"
            )
        losses = {}
        for task in self.config.tasks:
            # A task without labels still takes part, because DDP waits for a gradient of every parameter.
            given = labels.get(task.name, _all_missing(logits[task.name], task))
            losses[task.name] = masked_loss(logits[task.name], given, task, divisors.get(task.name), weights)
        return losses


def _set_max_length(backbone: PreTrainedModel, config: MultiTaskConfig) -> None:
    """Set `max_length` if it is `None`. Raise a `ValueError` if the encoder does not take so many tokens."""
    limit = most_tokens(backbone)
    if config.max_length is None:
        own = getattr(config.encoder_config, "max_position_embeddings", None)
        config.max_length = int(min(DEFAULT_MAX_LENGTH, limit, own if isinstance(own, int) and own > 0 else math.inf))
    if config.max_length > limit:
        raise ValueError(f"max_length is {config.max_length}, but this encoder takes at most {limit} tokens")


def _all_missing(logits: Tensor, task: TaskConfig) -> Tensor:
    kind = task.kind
    return torch.full(kind.label_shape(logits), kind.missing, dtype=kind.label_dtype, device=logits.device)


MultiTaskModel.register_for_auto_class("AutoModel")
