"""For each known bug, the small change that puts its cause back, and the test that must then fail."""

from typing import NamedTuple

MODEL = "modeling_multitask/modeling_multitask.py"
CONFIG = "modeling_multitask/configuration_multitask.py"
TASK_PROBLEMS = "modeling_multitask/task_problems_multitask.py"
ANSWERS = "modeling_multitask/answers_multitask.py"
LOSSES = "modeling_multitask/losses_multitask.py"
INTERVALS = "modeling_multitask/evaluation/intervals.py"
KINDS = "modeling_multitask/kinds_multitask.py"
OUTPUT_LAYERS = "modeling_multitask/output_layers_multitask.py"
HEADS = "modeling_multitask/heads_multitask.py"
POOLING = "modeling_multitask/pooling_multitask.py"
TEXTS = "modeling_multitask/texts_multitask.py"
BACKBONE = "modeling_multitask/backbone_multitask.py"
WEIGHTS = "modeling_multitask/weights_multitask.py"
COLLATOR = "modeling_multitask/training/collator.py"
EVALUATION = "modeling_multitask/training/evaluation_mixin.py"
TRAINER = "modeling_multitask/training/trainer.py"
KEEPING = "modeling_multitask/training/keeping_mixin.py"
CHECKS = "modeling_multitask/training/checks.py"
CONDITIONS = "modeling_multitask/training/conditions.py"
METRICS = "modeling_multitask/training/metrics.py"
FREEZING = "modeling_multitask/training/freezing.py"
RATES = "modeling_multitask/training/rates.py"
STATISTICS = "modeling_multitask/training/label_statistics.py"
GROUPS = "modeling_multitask/training/parameter_groups.py"
ARGUMENTS = "modeling_multitask/training/arguments.py"
BALANCING = "modeling_multitask/training/balancing.py"
AVERAGES = "modeling_multitask/training/averages.py"
AVERAGING = "modeling_multitask/training/averaging_mixin.py"
RESUMING = "modeling_multitask/training/resuming.py"
DIVERGENCE = "modeling_multitask/training/divergence.py"
SAVING = "modeling_multitask/training/saving_mixin.py"
STOPPING = "modeling_multitask/training/divergence_mixin.py"
PHASES = "modeling_multitask/training/phase_callback.py"
SAMPLERS = "modeling_multitask/training/samplers.py"
LORA = "modeling_multitask/training/lora.py"
GROWING = "modeling_multitask/training/growing.py"
PREFIX = "modeling_multitask/training/prefix/frozen.py"
PREFIX_CACHE = "modeling_multitask/training/prefix/cache.py"
SHARDS = "modeling_multitask/inference/shards.py"
CLASSIFIERS = "modeling_multitask/inference/classifiers.py"
ADAPTER = "modeling_multitask/training/adapter.py"
OUTPUT = "modeling_multitask/runs/outputs.py"
CHUNKS = "datasets_builder/chunks.py"
LABELS = "datasets_builder/labels.py"
FRESH = "modeling_multitask/publishing/fresh_load.py"
CSV_TABLES = "datasets_builder/csv_tables.py"
ENCODINGS = "datasets_builder/encodings.py"
CSV_BLOCKS = "datasets_builder/csv_blocks.py"
JSON_BLOCKS = "datasets_builder/json_blocks.py"
CELL_TABLES = "datasets_builder/cell_tables.py"
ARROW_TABLES = "datasets_builder/arrow_tables.py"
SHEETS = "datasets_builder/sheet_tables.py"
WORDS = "datasets_builder/word_arrays.py"
CELL_WORDS = "datasets_builder/cell_words.py"
CELL_LISTS = "datasets_builder/cell_lists.py"
LABEL_SETS = "datasets_builder/label_sets.py"
DERIVED = "datasets_builder/derived.py"
KEYED_ROWS = "datasets_builder/keyed_rows.py"
JOINED = "datasets_builder/joined.py"
GROUPED = "datasets_builder/grouped.py"
PLACES = "datasets_builder/places.py"
YAML_FILE = "modeling_multitask/recipes/yaml_file.py"
PUBLISH = "modeling_multitask/publishing/dataset.py"
UPLOAD = "modeling_multitask/hub/upload.py"
SPLITS = "datasets_builder/splits.py"
LABEL_ROWS = "datasets_builder/label_rows.py"
ROWS = "modeling_multitask/runs/rows.py"
CALIBRATION = "modeling_multitask/evaluation/calibration.py"


COMPARED = "(cells.codes != cells.codes[own_first]) & (cells.codes >= 0) & (cells.codes[own_first] >= 0)"
SKIPPING = 'return pc.binary_join_element_wise(*parts, self.separator, null_handling="skip")'


class Cause(NamedTuple):
    """A known bug: if `good` is replaced by `bad` in `file`, `test` (pytest's `-k`, within `tests`) fails."""

    pitfall: str
    file: str
    good: str
    bad: str
    tests: str
    test: str


CAUSES = [
    Cause(
        "P1 the mean over no label is NaN",
        *(LOSSES, "divisor.where(divisor > 0, 1)", "divisor"),
        *("tests/unit/test_losses.py", "without_any_label"),
    ),
    Cause(
        "P2 the mean over classes of weight zero is NaN",
        *(LOSSES, "divisor.where(divisor > 0, 1)", "divisor"),
        *("tests/unit/test_losses.py", "classes_of_weight_zero"),
    ),
    Cause(
        "P2 the smoothing of classes of weight zero has a sum all the same",
        *(LOSSES, "total * (divisor > 0)", "total"),
        *("tests/unit/test_losses.py", "classes_of_weight_zero"),
    ),
    Cause(
        "P3 a missing position counts as a negative",
        *(KINDS, "task).where(self.labelled_entries(labels), 0)", "task)"),
        *("tests/unit/test_losses.py", "missing_position"),
    ),
    Cause(
        "P4 -1 is taken for a class",
        *(KINDS, "return labels >= 0", "return labels != IGNORE_INDEX"),
        *("tests/unit/test_losses.py", "minus_one"),
    ),
    Cause(
        "P4 any negative number is a missing label",
        *(LOSSES, "    task.kind.check_labels(labels, task)\n", ""),
        *("tests/unit/test_losses.py", "no_label_and_not_missing"),
    ),
    Cause(
        "P5 a mean of means over accumulated batches",
        *(TRAINER, "if self.args.n_gpu > 1 or not batches:", "if True:"),
        *("tests/unit/training/test_trainer.py", "accumulated_batches"),
    ),
    Cause(
        "P6 the loss is divided by the number of micro-batches once more",
        *(MODEL, "accepts_loss_kwargs = True", "accepts_loss_kwargs = False"),
        *("tests/unit/training/test_trainer_features.py", "loss_that_is_logged"),
    ),
    Cause(
        "P7 the Trainer concludes from **kwargs what the model takes",
        *(MODEL, "    accepts_loss_kwargs = True\n", ""),
        *("tests/unit/training/test_trainer_features.py", "says_itself"),
    ),
    Cause(
        "P9 the Trainer's own smoothing silently does nothing",
        *(CHECKS, "if args.label_smoothing_factor:", "if False:"),
        *("tests/unit/training/test_trainer.py", "smoothing_by_the_trainers_own"),
    ),
    Cause(
        "P10 learned weights are not in the optimizer",
        *(TRAINER, "if learned := self.balancing.parameters():", "if learned := []:"),
        *("tests/unit/training/test_balancing.py", "variances_move"),
    ),
    Cause(
        "P10 learned weights decay",
        *(TRAINER, '"weight_decay": 0.0, "name": "balancing"', '"weight_decay": 0.1, "name": "balancing"'),
        *("tests/unit/training/test_balancing.py", "without_weight_decay"),
    ),
    Cause(
        "P10 learned weights are not reloaded",
        *(BALANCING, 'attributes.get("log_variances", [0.0] * len(self.tasks))', "[0.0] * len(self.tasks)"),
        *("tests/unit/training/test_balancing.py", "saved_and_reloaded"),
    ),
    Cause(
        "P10 the gradient of learned weights is not cleared",
        *(BALANCING, "self.log_variances.grad = None", "pass"),
        *("tests/unit/training/test_balancing.py", "nothing_of_the_step_before"),
    ),
    Cause(
        "P11 label columns are removed as unused",
        *(TRAINER, "TEXT_PAIR, SOURCE, *labels]", "TEXT_PAIR, SOURCE]"),
        *("tests/unit/training/test_trainer.py", "survive_the_removal"),
    ),
    Cause(
        "P12 a missing column takes every metric with it",
        *(
            COLLATOR,
            "forms.get(task.name), place) for task in tasks}",
            "None, place) for task in tasks if task.name in rows[0]}",
        ),
        *("tests/unit/training/test_trainer.py", "without_a_tasks_column"),
    ),
    Cause(
        "P13 a head is skipped in one batch",
        MODEL,
        "logits = self.heads(embeddings)\n",
        "logits = {k: v for k, v in self.heads(embeddings).items() if labels is None or (labels[k] >= 0).any()}\n",
        *("tests/unit/training/test_trainer.py", "batch_without_labels_of_a_task"),
    ),
    Cause(
        "P14 evaluation gathers the states of every token",
        *(CONFIG, '        "last_hidden_state",\n', ""),
        *("tests/unit/training/test_trainer_features.py", "logits_and_nothing_else"),
    ),
    Cause(
        "P14 evaluation gathers hidden states that are asked for",
        *(CONFIG, '        "hidden_states",\n', ""),
        *("tests/unit/training/test_trainer_features.py", "are_not_gathered_either"),
    ),
    Cause(
        "P15 labels are next to the tokens and not in a separate dict",
        *(COLLATOR, '{"labels": labels, **(', "{**labels, **("),
        *("tests/unit/training/test_trainer_features.py", "labels_in_a_dict"),
    ),
    Cause(
        "P16 decay by name",
        *(GROUPS, "parameter.ndim >= 2", 'not any(word in name for word in ("bias", "norm"))'),
        *("tests/unit/training/test_parameter_groups.py", "still_decayed"),
    ),
    Cause(
        "P17 a task's name hides an attribute",
        *(TASK_PROBLEMS, "elif name in MODULE_ATTRIBUTES:", "elif False:"),
        *("tests/unit/test_configuration.py", "unusable_task_name"),
    ),
    Cause(
        "P18 a NaN metric poisons the mean",
        *(METRICS, "if np.ptp(predictions) == 0 or np.ptp(references) == 0:", "if False:"),
        *("tests/unit/training/test_metrics.py", "constant_predictions"),
    ),
    Cause(
        "P18 a NaN kappa poisons the mean",
        *(METRICS, 'weights="quadratic")) if several else 0.0', 'weights="quadratic"))'),
        *("tests/unit/training/test_metrics.py", "never_differ_have_no_kappa"),
    ),
    Cause(
        "P19 the last checkpoint of an epoch comes before what ends the epoch",
        *(TRAINER, "(EpochEndCallback(), self.phases,", "(self.phases,"),
        *("tests/unit/training/test_resume.py", "uninterrupted_one and boundary and (phases or dwa)"),
    ),
    Cause(
        "P19 a resumed run begins with the first phase",
        *(PHASES, 'attributes.get("index", 0)', "0"),
        *("tests/unit/training/test_resume.py", "uninterrupted_one and boundary and phases"),
    ),
    Cause(
        "P19 a resumed run goes without what the balancing has counted",
        *(RESUMING, 'self.restore(saved["attributes"] if saved else {})', "self.restore({})"),
        *("tests/unit/training/test_resume.py", "uninterrupted_one and boundary and dwa"),
    ),
    Cause(
        "P19 two processes resume with the order of the first epoch",
        *(SAMPLERS, "self.sampler.set_epoch(int(state.epoch or 0))", "pass"),
        *("tests/integration/test_uneven_processes.py", "that_was_not_interrupted"),
    ),
    Cause(
        "P19 a run that its phases ended takes one more step",
        *(TRAINER, "if self.control.should_training_stop:", "if False:"),
        *("tests/unit/training/test_resume.py", "does_not_go_on"),
    ),
    Cause(
        "P20 a compiled model is asked for the gradient of each task",
        *(ARGUMENTS, "if compiles and (", "if False and ("),
        *("tests/unit/training/test_gradients.py", "compiled_model"),
    ),
    Cause(
        "P21 the heads are a ModuleDict that is saved as a whole",
        LORA,
        "    wrapped = get_peft_model(",
        "    model.heads, heads = nn.ModuleDict(dict(model.heads.named_children())), ['heads']\n"
        "    wrapped = get_peft_model(",
        *("tests/unit/training/test_lora.py", "every_head_trains_whole"),
    ),
    Cause(
        "P22 heads are named by their last part",
        *(LORA, 'heads = [f"heads.{task.name}"', 'heads = [f"{task.name}"'),
        *("tests/unit/training/test_lora.py", "named_as_a_layer"),
    ),
    Cause(
        "P22 layers that train as a whole are not noticed",
        *(LORA, "if frozen_heads or whole:", "if frozen_heads:"),
        *("tests/unit/training/test_lora.py", "train_whole_is_noticed"),
    ),
    Cause(
        "P23 a head that stays frozen is not noticed",
        *(LORA, "if frozen_heads or whole:", "if whole:"),
        *("tests/unit/training/test_lora.py", "left_frozen_is_noticed"),
    ),
    Cause(
        "P23 a name of no layer is accepted",
        *(LORA, "if not any(layer == name or layer.endswith(f", "if False and any(layer == name or layer.endswith(f"),
        *("tests/unit/training/test_lora.py", "names_of_no_layer"),
    ),
    Cause(
        "P24 the adapter names a class that strangers cannot import",
        *(ADAPTER, "save_pretrained(folder, auto_mapping_dict=auto_class)", "save_pretrained(folder)"),
        *("tests/unit/training/test_lora.py", "stranger_gets and adapter"),
    ),
    Cause(
        "P24 transformers does not find the magnitudes",
        *(ADAPTER, '    _name_magnitudes(folder / "adapter_model.safetensors")\n', ""),
        *("tests/unit/training/test_lora.py", "our_own_class and adapter and DoRA"),
    ),
    Cause(
        "P24 what PiSSA took from the encoder is taken once more",
        *(ADAPTER, "written.init_lora_weights = True", "pass"),
        *("tests/unit/training/test_adapter.py", "began_in_another_way"),
    ),
    Cause(
        "P25 the model beneath the adapter is not saved",
        ADAPTER,
        'save_folder(copy.deepcopy(model).unload(), tokenizer, folder / "base")',
        'save_tokenizer(tokenizer, model.config.max_length, folder / "base")',
        *("tests/unit/training/test_adapter.py", "holds_adapter_and_tokenizer"),
    ),
    Cause(
        "P26 what is saved has the heads of before training",
        OUTPUT,
        "model = model.merge_and_unload()",
        "model.base_model.disable_adapter_layers()\n        model = model.get_base_model()",
        *("tests/unit/runs/test_train_settings.py", "adapter_is_kept"),
    ),
    Cause(
        "P27 the old heads are initialised again",
        *(
            GROWING,
            "_weights(getattr(trained.heads, task.name), old[task.name].labels, head_of_task, task.labels)",
            "head_of_task.state_dict()",
        ),
        *("tests/unit/training/test_growing.py", "have_the_trained_weights"),
    ),
    Cause(
        "P28 a head without labels gets no gradient",
        MODEL,
        "losses[task.name] = masked_loss(logits[task.name], given, task, divisors.get(task.name), weights)",
        "losses[task.name] = masked_loss(logits[task.name], given, task, divisors.get(task.name), weights) "
        "if (given >= 0).any() else logits[task.name].new_zeros(())",
        *("tests/integration/test_uneven_processes.py", "process_has_no_label and checkpointing"),
    ),
    Cause(
        "P30 what is frozen is in no group",
        GROUPS,
        "for name, parameter in model.named_parameters():\n",
        "for name, parameter in [pair for pair in model.named_parameters() if pair[1].requires_grad]:\n",
        *("tests/unit/training/test_parameter_groups.py", "frozen_parameters_are_in_the_groups"),
    ),
    Cause(
        "P31 DDP is set up when parts are frozen already",
        TRAINER,
        "self.phases = PhaseCallback(args.schedule, trainable)",
        "self.phases = PhaseCallback(args.schedule, trainable); self.phases._freeze(model)",
        *("tests/integration/test_uneven_processes.py", "replicas_are_the_same and phases"),
    ),
    Cause(
        "P32 nothing that enters a checkpoint has a gradient",
        *(
            MODEL,
            "    accepts_loss_kwargs = True\n",
            "    accepts_loss_kwargs = True\n    enable_input_require_grads = id\n",
        ),
        *("tests/unit/training/test_trainer_features.py", "adapters_train_under_checkpointing"),
    ),
    Cause(
        "P33 a frozen encoder keeps its dropout",
        *(FREEZING, "if trainable and not any(trainable):", "if False:"),
        *("tests/unit/training/test_trainer.py", "runs_without_dropout"),
    ),
    Cause(
        "P34 patterns are searched in the names that peft gives",
        *(GROUPS, "phase.rate(plain_name(name), ", "phase.rate(name, "),
        *("tests/unit/training/test_parameter_groups.py", "without_what_peft_adds"),
    ),
    Cause(
        "P34 parts are looked for under the names that peft gives",
        *(FREEZING, "_holds(part, plain_name(name), depth, top)", "_holds(part, name, depth, top)"),
        *("tests/unit/training/test_freezing.py", "copy_that_trains"),
    ),
    Cause(
        "P35 one process gets more token batches than the other",
        *(SAMPLERS, "return math.ceil(self._count / self.processes) * self.processes", "return self._count"),
        *("tests/unit/training/test_sampling.py", "every_process_gets_as_many"),
    ),
    Cause(
        "P37 no post_init",
        *(MODEL, "        self.post_init()\n", ""),
        *("tests/unit/test_modeling.py", "every_family_saves_and_loads and bert"),
    ),
    Cause(
        "P38 the backbone is loaded in __init__",
        BACKBONE,
        "return _model_class(config)._from_config(config, ",
        "return _model_class(config).from_pretrained(config._name_or_path, ",
        *("tests/unit/test_modeling.py", "every_family_saves_and_loads and bert"),
    ),
    Cause(
        "P39 a buffer that is not saved holds values",
        HEADS,
        "        for task in config.tasks:\n            self.add_module",
        '        self.register_buffer("scale", nn.LayerNorm(3).weight.detach(), persistent=False)\n'
        "        for task in config.tasks:\n            self.add_module",
        *("tests/unit/test_modeling.py", "no_buffer_that_is_not_saved"),
    ),
    Cause(
        "P40 a bare parameter that _init_weights does not set",
        HEADS,
        "        for task in config.tasks:\n            self.add_module",
        "        self.scale = nn.Parameter(nn.LayerNorm(64).weight.detach())\n"
        "        for task in config.tasks:\n            self.add_module",
        *("tests/unit/test_modeling.py", "request_and_not_garbage"),
    ),
    Cause(
        "P40 cut points that _init_weights does not set",
        *(MODEL, "initialization.zeros_(module.cuts)", "pass"),
        *("tests/unit/test_cumulative_logits.py", "zeros_and_not_garbage"),
    ),
    Cause(
        "P42 two tasks share a head that is not declared tied",
        *(
            HEADS,
            "self.add_module(task.name, _build_head(",
            "self.add_module(task.name, next(self.children(), None) or _build_head(",
        ),
        *("tests/unit/test_modeling.py", "do_not_share_weights"),
    ),
    Cause(
        "P43 the backbone trains in the dtype of its file",
        *(MODEL, 'load_kwargs = {"dtype": torch.float32}', 'load_kwargs = {"dtype": "auto"}'),
        *("tests/unit/test_modeling.py", "trained_in_float32"),
    ),
    Cause(
        "P44 tasks come back in another order",
        *(
            CONFIG,
            "[asdict(task) for task in self.tasks]",
            "sorted(map(asdict, self.tasks), key=lambda task: task['name'])",
        ),
        *("tests/unit/test_configuration.py", "keep_their_order"),
    ),
    Cause(
        "P45 LABEL_0 and LABEL_1 are written for a model of four tasks",
        *(CONFIG, 'for name in ("id2label", "label2id", "problem_type", "use_cache"):', "for name in ():"),
        *("tests/unit/test_configuration.py", "single_task_words"),
    ),
    Cause(
        "P46 the backbone does not hear of the attention asked for",
        *(CONFIG, 'sub_configs: ClassVar = {"backbone_config": AutoConfig}', "sub_configs: ClassVar = {}"),
        *("tests/unit/test_modeling.py", "dtype_and_attention"),
    ),
    Cause(
        "P47 segments do not reach an encoder that has them",
        *(MODEL, '"token_type_ids": token_type_ids, ', ""),
        *("tests/unit/test_modeling.py", "segments_reach_an_encoder"),
    ),
    Cause(
        "P48 a travelling file imports its own package",
        *(LOSSES, "from .tasks_multitask", "from modeling_multitask.tasks_multitask"),
        *("tests/contracts/test_hub_bundle.py", "stranger_gets_the_trained_logits"),
    ),
    Cause(
        "P49 a neighbour is imported in a way that is not copied",
        *(
            MODEL,
            "from .pipeline_multitask import CUSTOM_PIPELINES\n",
            "from . import pipeline_multitask\nCUSTOM_PIPELINES = pipeline_multitask.CUSTOM_PIPELINES\n",
        ),
        *("tests/contracts/test_hub_bundle.py", "every_travelling_file_along"),
    ),
    Cause(
        "P50 a travelling file needs what strangers lack",
        *(LOSSES, "import torch\n", "import torch\nimport peft\n"),
        *("tests/contracts/test_hub_bundle.py", "only_what_every_stranger_has"),
    ),
    Cause(
        "P51 the saved copy brings no code",
        *(MODEL, 'MultiTaskModel.register_for_auto_class("AutoModel")', ""),
        *("tests/contracts/test_hub_bundle.py", "finetuned_copy"),
    ),
    Cause(
        "P52 the package does not register its classes",
        *("modeling_multitask/registration.py", "AutoModel.register(MultiTaskConfig, MultiTaskModel)", "pass"),
        *("tests/contracts/test_hub_bundle.py", "no_trust_is_needed"),
    ),
    Cause(
        "P58 the tokenizer's limit decides",
        *(TEXTS, "text_pairs, truncation=True, max_length=length, ", "text_pairs, "),
        *("tests/unit/test_pipeline.py", "cut_to_the_length"),
    ),
    Cause(
        "P59 CLS is the first position, padding or not",
        *(
            POOLING,
            "picked = states[rows, rank.argmax(dim=1)]",
            "picked = states[:, -1 if last else 0]",
        ),
        *("tests/unit/test_pooling.py", "behind_left_padding"),
    ),
    Cause(
        "P54 a class of a notebook is saved without its code",
        *(MODEL, 'if type(self).__module__ == "__main__":', "if False:"),
        *("tests/unit/test_modeling.py", "class_of_a_notebook"),
    ),
    Cause(
        "P55 config.json names no pipeline",
        *(MODEL, "self.config.custom_pipelines = CUSTOM_PIPELINES", "pass"),
        *("tests/contracts/test_snapshots.py", "config_json"),
    ),
    Cause(
        "P56 a push overwrites what people wrote into the card",
        *(UPLOAD, "if there.card is not None and merge_cards is not None and", "if False and"),
        *("tests/unit/hub/test_upload.py", "card_that_is_there"),
    ),
    Cause(
        "P56 a card that cannot be read just now is taken for none",
        *(UPLOAD, "except LocalEntryNotFoundError as error:", "except ZeroDivisionError as error:"),
        *("tests/unit/hub/test_upload.py", "cannot_be_read_just_now"),
    ),
    Cause(
        "P56 a section that was edited is replaced",
        *("modeling_multitask/hub/card_merge.py", "if section.edited and", "if False and"),
        *("tests/unit/hub/test_card_merge.py", "edited"),
    ),
    Cause(
        "P56 the Trainer overwrites a card that is there",
        *(
            "modeling_multitask/training/card_mixin.py",
            "path.exists() and not is_signed(",
            "False and (",
        ),
        *("tests/unit/publishing/test_card_trainer.py", "beside_the_checkpoints"),
    ),
    Cause(
        "P57 a pickle is pushed",
        *("modeling_multitask/publishing/inspection.py", "if pickled or kind in _PICKLES or", "if False and"),
        *("tests/unit/publishing/test_inspection.py", "speaks_against_a_push"),
    ),
    Cause(
        "P57 a pickle is read in the place of the weights",
        *("modeling_multitask/inference/loading.py", "use_safetensors=True", "use_safetensors=None"),
        *("tests/unit/inference/test_strangers_folder.py", "pickle_in_the_place"),
    ),
    Cause(
        "P60 a bfloat16 mask is summed in bfloat16",
        *(POOLING, "torch.promote_types(states.dtype, torch.float32)", "states.dtype"),
        *("tests/unit/test_pooling.py", "counted_in_float32"),
    ),
    Cause(
        "P61 an output is called as a node is",
        *("modeling_multitask/export/onnx.py", 'EMBEDDING = "sentence_embedding"', 'EMBEDDING = "embedding"'),
        *("tests/unit/export/test_onnx.py", "decisions_and_the_embedding"),
    ),
    Cause(
        "P63 the script of a data set is taken for a loading script",
        *(PUBLISH, 'repo_id.endswith(f"/{Path(SCRIPT).stem}")', "not repo_id"),
        *("tests/unit/publishing/test_dataset.py", "named_like_its_script"),
    ),
    Cause(
        "P64 a null label crashes the collator",
        *(TEXTS, "value is None or is_nan", "is_nan"),
        *("tests/unit/training/test_collator.py", "each_way_to_write_a_label"),
    ),
    Cause(
        "P65 a NaN among ids crashes the collator",
        *(TEXTS, "value is None or is_nan or", "value is None or"),
        *("tests/unit/training/test_collator.py", "each_way_to_write_a_label"),
    ),
    Cause(
        "P67 an unknown label says nothing of its task",
        *(COLLATOR, 'raise RowError(f"task {task.name!r}: {error}{where}", f"{place}[{i}]") from None', "raise"),
        *("tests/unit/training/test_collator.py", "refused_by_name"),
    ),
    Cause(
        "P65 NaN in a column of ids becomes a label",
        *(WORDS, "if_else(pc.is_nan(cells)", "if_else(pc.is_inf(cells)"),
        *("tests/unit/datasets_builder/test_labels.py", "nan_is_a_missing_label"),
    ),
    Cause(
        "P66 ids of one table's classes are taken for those of another's",
        *(CHUNKS, "if not isinstance(feature, ClassLabel):", "if True:"),
        *("tests/unit/datasets_builder/test_tables.py", "ids_of_classes_come_as_their_names"),
    ),
    Cause(
        "P67 an unknown label in a table becomes a missing one",
        *(LABELS, "unknown = pc.and_(pc.is_null(ids), pc.is_valid(words))", "unknown = pc.less(ids, 0)"),
        *("tests/unit/datasets_builder/test_labels.py", "none_of_the_labels_is_an_error"),
    ),
    Cause(
        "P68 a split may be empty",
        *(SPLITS, "if not 0 < count < len(rest) + lone.any():", "if False:"),
        *("tests/unit/datasets_builder/test_builder.py", "leaves_a_split_without_rows"),
    ),
    Cause(
        "P68 a group with all rows of a label may be held out",
        *(SPLITS, "lone = _holds_a_whole_label(labels, units)", "lone = np.zeros(len(strata), dtype=bool)"),
        *("tests/unit/datasets_builder/test_splits.py", "holds_all_rows_of_a_label or only_row_of_a_label"),
    ),
    Cause(
        "P68 a label of few rows may be held out",
        *(SPLITS, "    kept |= _returned(labels, units, kept)\n", ""),
        *("tests/unit/datasets_builder/test_splits.py", "never_loses_both"),
    ),
    Cause(
        "P68 parents are read from the training rows after the split",
        *(ROWS, "concatenate_datasets([seen, *held_out])", "seen"),
        *("tests/unit/runs/test_rows.py", "before_the_split"),
    ),
    Cause(
        "P68 data does not check what needs the rows",
        "modeling_multitask/runs/data.py",
        "dataset, tasks = build_rows(recipe, builder, trained)",
        "builder.download_and_prepare()\n    dataset, tasks = dict(builder.as_dataset()), builder.tasks",
        *("tests/unit/runs/test_rows.py", "data_refuses"),
    ),
    Cause(
        "P68 validation rows of a data set on the Hub are not known",
        *("modeling_multitask/runs/prepare.py", "known = with_known_splits(recipe)", "known = recipe"),
        *("tests/unit/runs/test_rows.py", "on_the_hub_has_validation_rows"),
    ),
    Cause(
        "P68 a label that is never no is not noticed",
        *(LABEL_ROWS, "if not count.no]", "if False]"),
        *("tests/unit/datasets_builder/test_label_rows.py", "never_yes_or_never_no"),
    ),
    Cause(
        "P69 each head answers for itself",
        ANSWERS,
        "if task.given is None:\n            together = task.name in followers",
        "if True:\n            together = False",
        *("tests/unit/test_answers.py", "answers_never_contradict"),
    ),
    Cause(
        "P70 labels of a question that is not asked are trained on",
        *(COLLATOR, "return without_unasked(labels, tasks)", "return labels"),
        *("tests/unit/training/test_collator.py", "left_out_has_no_loss"),
    ),
    Cause(
        "P70 a question is asked after one that is not",
        *(CONDITIONS, "unasked[parent.name] | (above", "(above"),
        *("tests/unit/training/test_collator.py", "no_question_after_it"),
    ),
    Cause(
        "P70 balanced weights count labels that are not trained on",
        *("modeling_multitask/runs/rows.py", "if seen is None or task.given is None else", "if True else"),
        *("tests/unit/runs/test_train_conditions.py", "balanced_weights_count"),
    ),
    Cause(
        "P71 no answer is a class of its own",
        *(METRICS, "(*counts)[classes != NOT_ASKED]", "(*counts)"),
        *("tests/unit/training/test_metrics.py", "wrong_and_no_class"),
    ),
    Cause(
        "P72 what nearly sure heads rule out is equally improbable",
        *(
            KINDS,
            "return _scaled(logits, task).log_softmax(dim=-1)",
            "return _scaled(logits, task).softmax(dim=-1).log()",
        ),
        *("tests/unit/test_answers.py", "every_probability_is_0"),
    ),
    Cause(
        "P73 evaluation rows are shuffled",
        *("modeling_multitask/training/batches.py", "def _get_eval_sampler(", "def _another_sampler("),
        *("tests/unit/training/test_trainer.py", "in_the_order_of_the_rows"),
    ),
    Cause(
        "P77 a batch is used that was fetched before the frozen part became another",
        *("modeling_multitask/training/prefix/rows.py", "if origin.store is not cache.store:", "if False:"),
        *("tests/unit/training/prefix/test_cache.py", "weights_and_metrics and within"),
    ),
    Cause(
        "P78 frozen layers that depend on what trains are entered in the middle",
        *(PREFIX, "self._check_frozen(states)", "pass"),
        *("tests/unit/training/prefix/test_frozen.py", "depend_on_something_that_trains"),
    ),
    Cause(
        "P79 what requires a gradient is taken for what depends on something that trains",
        *(PREFIX, "if used:", "if True:"),
        *("tests/unit/training/prefix/test_cache.py", "weights_and_metrics and checkpointing"),
    ),
    Cause(
        "P80 each process decides for itself whether there is a cache",
        *(PREFIX_CACHE, "if self._anywhere(failure is not None):", "if failure is not None:"),
        *("tests/integration/test_prefix_processes.py", "neither_has_a_cache"),
    ),
    Cause(
        "P81 a key does not tell where a window ends",
        *("modeling_multitask/training/prefix/states.py", "len(window), *window", "*window"),
        *("tests/unit/training/prefix/test_states.py", "two_windows"),
    ),
    Cause(
        "P82 shards are looked for when they may have gone",
        *(SHARDS, "shards[-1] not in there", "not shards[-1].is_file()"),
        *("tests/unit/inference/test_shards.py", "does_not_look_for_them_again"),
    ),
    Cause(
        "P83 every process takes itself for the only one",
        *(
            "modeling_multitask/commands/predict.py",
            "PartialState(cpu=not torch.accelerator.is_available())",
            "PartialState()",
        ),
        *("tests/integration/test_predict_processes.py", "two_processes"),
    ),
    Cause(
        "P84 a file is there before it is whole",
        *("modeling_multitask/files.py", "yield partial\n        os.replace(partial, path)", "yield path"),
        *("tests/unit/test_files.py", "killed_while_it_writes"),
    ),
    Cause(
        "P85 the host waits for the device at every step",
        *(
            ARGUMENTS,
            "logging_nan_inf_filter: bool = field(default=False",
            "logging_nan_inf_filter: bool = field(default=True",
        ),
        *("tests/unit/training/test_waiting.py", "plain"),
    ),
    Cause(
        "P87 padding is taken for text",
        *("modeling_multitask/training/prefix/states.py", "    if masks is None:", "    if True:"),
        *("tests/unit/training/prefix/test_cache.py", "weights_and_metrics and padding"),
    ),
    Cause(
        "P88 the cache is asked for rows that it does not know",
        *(
            "modeling_multitask/training/prefix/rows.py",
            "if store is None or not self._are_in(store):",
            "if store is None:",
        ),
        *("tests/unit/training/prefix/test_cache.py", "does_not_know"),
    ),
    Cause(
        "P89 an interrupted run leaves parts frozen",
        *(TRAINER, "train_only(self.model, self.phases.trainable)", "pass"),
        *("tests/unit/training/prefix/test_cache.py", "interrupted"),
    ),
    Cause(
        "P90 other files next to the stores are removed to make room",
        *(
            "modeling_multitask/training/prefix/store.py",
            "_STORE.fullmatch(path.name) and path.is_dir()",
            "path.is_dir()",
        ),
        *("tests/unit/training/prefix/test_store.py", "folders_of_others"),
    ),
    Cause(
        "P91 a pooling that sentence-transformers does not know is written as none",
        *("modeling_multitask/sentence_transformers_multitask.py", "if config.pooling in POOLING_KEYS:", "if True:"),
        *("tests/unit/test_sentence_transformers.py", "not_taken_for_the_mean"),
    ),
    Cause(
        "P96 a loss that is not finite is not noticed",
        *(DIVERGENCE, "if step == _NEVER:", "if True:"),
        *("tests/unit/training/test_divergence.py", "first_wrong_step"),
    ),
    Cause(
        "P96 a loss that float32 does not resolve is a loss like any other",
        *(DIVERGENCE, "each <= LARGEST_LOSS * self._first.clamp(min=1)", "True"),
        *("tests/unit/training/test_divergence.py", "absurd_rate"),
    ),
    Cause(
        "P96 every large loss is a fault, also of numbers in thousands",
        *(DIVERGENCE, "each <= LARGEST_LOSS * self._first.clamp(min=1)", "each <= LARGEST_LOSS"),
        *("tests/unit/training/test_divergence.py", "large_numbers"),
    ),
    Cause(
        "P96 the steps that a scaler skips are faults",
        *(DIVERGENCE, "gradient is None or 0 < len(self._skipped) < MOST_SKIPPED", "gradient is None"),
        *("tests/unit/training/test_divergence.py", "scaler_skips_is_no_fault"),
    ),
    Cause(
        "P96 a solver fails on gradients that are not finite",
        *(TRAINER, "self.check_divergence()  # before the solvers", "# before the solvers"),
        *("tests/unit/training/test_divergence.py", "first_wrong_step and aligned_mtl"),
    ),
    Cause(
        "P96 weights that are not finite are saved",
        *(STOPPING, "if control.should_evaluate or control.should_save or control.should_training_stop:", "if False:"),
        *("tests/unit/training/test_divergence.py", "never_saved"),
    ),
    Cause(
        "P96 a run without a log does not stop",
        *(STOPPING, "control.should_log or step % READ_EVERY == 0", "control.should_log"),
        *("tests/unit/training/test_divergence.py", "without_a_log"),
    ),
    Cause(
        "P97 an undefined figure is NaN in a checkpoint",
        *(
            STOPPING,
            "strict([self.state.log_history, self.state.best_metric])",
            "self.state.log_history, self.state.best_metric",
        ),
        *("tests/unit/training/test_divergence.py", "undefined_figure"),
    ),
    Cause(
        "P97 a row of answers has NaN in its JSON",
        *(
            "modeling_multitask/files.py",
            "json.dumps(strict(content), allow_nan=False, **options)",
            "json.dumps(content, **options)",
        ),
        *("tests/unit/inference/test_tables.py", "does_not_have_is_null"),
    ),
    Cause(
        "P98 a loss is in the units of the targets",
        *(KINDS, "(logits.squeeze(-1) - targets) / task.unit", "logits.squeeze(-1) - targets"),
        *("tests/unit/training/test_label_statistics.py", "depends_on_the_scale"),
    ),
    Cause(
        "P98 a head starts at 0 instead of the mean",
        *(STATISTICS, "        layer.standardize(targets)\n", "        pass\n"),
        *("tests/unit/training/test_label_statistics.py", "about_the_mean"),
    ),
    Cause(
        "P98 half precision rounds the mean of the targets",
        *(OUTPUT_LAYERS, "if self.target_mean.dtype != before[0].dtype:", "if False:"),
        *("tests/unit/training/test_label_statistics.py", "half_precision"),
    ),
    Cause(
        "P98 other rows change the scale of a trained head",
        *(STATISTICS, "return task.targets is None if", "return True if"),
        *("tests/unit/training/test_label_statistics.py", "keeps_its_scale_on_other_rows"),
    ),
    Cause(
        "P98 a trial of a search has no scale",
        *(TRAINER, "start_heads(model, self.train_dataset, self.list_forms)", "pass"),
        *("tests/unit/training/test_label_statistics.py", "trial_of_a_search"),
    ),
    Cause(
        "P98 an export is compared in the units of the targets",
        *("modeling_multitask/export/check.py", "clip(min=unit)", "clip(min=1)"),
        *("tests/unit/export/test_onnx.py", "units_of_their_deviation"),
    ),
    Cause(
        "P98 a model of version 0.1 gives other answers",
        *(CONFIG, "{**_of_version_0_1(task), **task}", "task"),
        *("tests/contracts/test_version_0_1.py", "keeps_the_mode"),
    ),
    Cause(
        "P98 the split takes the only number out of training",
        *("datasets_builder/holding_out.py", "column = pc.if_else(column.is_valid(), 0, None)", "continue"),
        *("tests/unit/datasets_builder/test_builder.py", "only_number"),
    ),
    Cause(
        "P98 a metric that cannot be computed chooses the first checkpoint",
        *(EVALUATION, '== metrics.get("eval_score") == 0:', '== metrics.get("eval_score") == -1:'),
        *("tests/unit/training/test_trainer.py", "score_of_0"),
    ),
    Cause(
        "P99 cut points are equally spaced",
        *(STATISTICS, "layer.start_from(known.bincount(minlength=len(task.labels or ())))", "pass"),
        *("tests/unit/training/test_label_statistics.py", "training_frequencies"),
    ),
    Cause(
        "P99 cut points have the rate of the heads",
        *(RATES, "None else 10 * self.heads", "None else self.heads"),
        *("tests/unit/training/test_parameter_groups.py", "ten_times"),
    ),
    Cause(
        "P99 the most probable label is the answer",
        *(KINDS, 'if task.decision == "mode":', "if True:"),
        *("tests/unit/training/test_label_statistics.py", "middle_label"),
    ),
    Cause(
        "P99 the median comes first among labels sorted by score",
        *(ANSWERS, "    if task.kind.ordered:\n", "    if False:\n"),
        *("tests/unit/training/test_label_statistics.py", "top_k_of_an_ordinal"),
    ),
    Cause(
        "P100 the heads have the low rate of the encoder by default",
        *(ARGUMENTS, "return RATES if", "return LearningRates(5e-5, 5e-5) if"),
        *("tests/unit/training/test_defaults.py", "heads_learn_faster"),
    ),
    Cause(
        "P100 a rate that learning_rates override is ignored",
        *(ARGUMENTS, "if self.learning_rate is not None:", "if False:"),
        *("tests/unit/training/test_defaults.py", "beside_rates"),
    ),
    Cause(
        "P100 small tables get three epochs",
        *(
            "modeling_multitask/training/defaults.py",
            "min(max(math.ceil(ROWS_READ / max(labelled, 1)), FEWEST_EPOCHS), MOST_EPOCHS)",
            "FEWEST_EPOCHS",
        ),
        *("tests/unit/training/test_defaults.py", "small_tables"),
    ),
    Cause(
        "P100 the default number of epochs replaces the one of the recipe",
        *("modeling_multitask/runs/prepare.py", 'if "num_train_epochs" in given or ', "if "),
        *("tests/unit/runs/test_train_settings.py", "win_over_the_defaults"),
    ),
    Cause(
        "P101 a temperature is fitted on a few rows",
        *(CALIBRATION, "if rows < FEWEST_ROWS:", "if rows < 1:"),
        *("tests/unit/evaluation/test_calibration.py", "too_few_rows_is_not_calibrated"),
    ),
    Cause(
        "P101 a temperature at the bound of its search is set",
        *(CALIBRATION, "if not LOWEST * 1.01 < found < HIGHEST / 1.01:", "if False:"),
        *("tests/unit/evaluation/test_calibration.py", "at_a_bound"),
    ),
    Cause(
        "P101 a threshold is fitted on a few rows with its label",
        *(CALIBRATION, "if rarer < FEWEST_OF_EACH:", "if rarer < 1:"),
        *("tests/unit/evaluation/test_calibration.py", "keeps_its_threshold"),
    ),
    Cause(
        "P101 thresholds without a temperature",
        *(
            CALIBRATION,
            "task, notes = _with_temperature(task, logits, labels)",
            'task, notes = _with_temperature(task, logits, labels) if "temperature" in methods else (task, [])',
        ),
        *("tests/unit/evaluation/test_calibration.py", "which_they_include"),
    ),
    Cause(
        "P101 a run without validation rows does not say that nothing was calibrated",
        *("modeling_multitask/runs/calibration.py", "logger.warning(NOT_CALIBRATED)", "pass"),
        *("tests/unit/runs/test_calibration.py", "without_any_label_are_none"),
    ),
    Cause(
        "P101 a change that is within chance is called better or worse",
        *("modeling_multitask/evaluation/calibration_effect.py", "if low <= 0 <= high:", "if False:"),
        *("tests/unit/evaluation/test_calibration_effect.py", "contains_0"),
    ),
    Cause(
        "P102 rows that are all answered right have no interval or one of width 0",
        *(INTERVALS, "IMAGINED = 1.0", "IMAGINED = 0.0"),
        *("tests/unit/evaluation/test_figures.py", "width_0"),
    ),
    Cause(
        "P102 an interval that covers too little is shown",
        *(INTERVALS, '{"macro_f1": 50,', '{"macro_f1": 1,'),
        *("tests/unit/evaluation/test_figures.py", "from_50_rows"),
    ),
    Cause(
        "P102 a group of a few rows has a figure of its own",
        *("modeling_multitask/evaluation/slices.py", "len(rows) >= FEWEST_ROWS}", "len(rows) >= 1}"),
        *("tests/unit/evaluation/test_errors.py", "fewer_than_20_rows"),
    ),
    Cause(
        "P103 nothing says that a constant is as good",
        *("modeling_multitask/runs/run.py", "with_judgements(run.results, judgements)", "run.results"),
        *("tests/unit/runs/test_judgements.py", "constant_and_a_regression"),
    ),
    Cause(
        "P103 a baseline has the pooling of the recipe instead of the encoder's own",
        *("modeling_multitask/runs/start_encoder.py", "replace(recipe, pooling=None,", "replace(recipe,"),
        *("tests/unit/runs/test_judgements.py", "constant_and_a_regression"),
    ),
    Cause(
        "P103 a task without test rows has no verdict and loses its notes",
        *(
            "modeling_multitask/evaluation/judgement.py",
            "if found is None and not labelled_rows_of",
            "if False and not labelled_rows_of",
        ),
        *("tests/unit/evaluation/test_baseline.py", "without_a_labelled_row"),
    ),
    Cause(
        "P104 layers that the weights file lacks keep random numbers",
        *(WEIGHTS, 'if info["missing_keys"]:', "if False:"),
        *("tests/unit/inference/test_damaged_folders.py", "do_not_fit and heads"),
    ),
    Cause(
        "P104 NaN in the weights answers the first label",
        *(WEIGHTS, "not bool(tensor.isfinite().all())", "False"),
        *("tests/unit/inference/test_damaged_folders.py", "do_not_fit and NaN"),
    ),
    Cause(
        "P104 a config of more layers than tensors is built",
        *(WEIGHTS, "value > len(self.shapes)", "value > 10**12"),
        *("tests/unit/inference/test_damaged_folders.py", "do_not_fit and than"),
    ),
    Cause(
        "P105 a folder without its tokenizer answers every text the same",
        *(TEXTS, "if set(words.values()) <= set(tokenizer.all_special_ids):", "if False:"),
        *("tests/unit/inference/test_damaged_folders.py", "refused_with_its_cause and tokenizer"),
    ),
    Cause(
        "P106 the Trainer drops the second text of a pair",
        *(TRAINER, "TEXT, TEXT_PAIR, SOURCE", "TEXT, SOURCE"),
        *("tests/unit/training/test_trainer.py", "second_text_of_a_pair"),
    ),
    Cause(
        "P107 each batch decides how a list of numbers is read",
        *(
            "modeling_multitask/training/multi_labels.py",
            "rows: Iterable[Any] = islice(table, MOST_STREAMED)",
            "rows: Iterable[Any] = ()",
        ),
        *("tests/unit/training/test_multi_labels.py", "rows_of_each_kind"),
    ),
    Cause(
        "P108 a row without an answer has no error",
        *(
            "modeling_multitask/evaluation/measures.py",
            "np.where(asked, answers, farthest(labels, classes))",
            "np.where(asked, answers, labels)",
        ),
        *("tests/unit/evaluation/test_figures.py", "largest_error_of_rank"),
    ),
    Cause(
        "P109 a checkpoint holds the token",
        *(
            "modeling_multitask/training/saving_mixin.py",
            "    trainer.TRAINING_ARGS_NAME = os.devnull",
            "    trainer.TRAINING_ARGS_NAME = name",
        ),
        *("tests/unit/training/test_checkpoints.py", "arguments_with_the_token"),
    ),
    Cause(
        "P110 requests to the Hub have no time limit",
        *("modeling_multitask/hub_access.py", "session.timeout = _SLOWEST", "pass"),
        *("tests/unit/test_hub_access.py", "no_later_request_waits"),
    ),
    Cause(
        "P111 a text is tokenised as a whole",
        *("modeling_multitask/long_texts_multitask.py", "if len(text) <= CHARACTERS * length:", "if True:"),
        *("tests/unit/test_long_texts.py", "only_as_much"),
    ),
    Cause(
        "P112 two processes write to one output",
        *("modeling_multitask/locks.py", "        lock.acquire()", "        pass"),
        *("tests/unit/test_locks.py", "second_process"),
    ),
    Cause(
        "P113 there is a gap while a folder is replaced",
        *("modeling_multitask/files.py", "if exchange(partial, path):", "if False:"),
        *("tests/unit/test_files.py", "never_lacks"),
    ),
    Cause(
        "P115 positions behind the padding id are counted",
        *(BACKBONE, "(0 if padding is None else padding + 1)", "0"),
        *("tests/unit/test_backbone.py", "not_counted and xmod"),
    ),
    Cause(
        "P116 a backbone may lack weights",
        *(BACKBONE, 'if "pooler" not in name)', "if not name)"),
        *("tests/unit/test_backbone.py", "lacks_weights"),
    ),
    Cause(
        "P117 an encoder-decoder is loaded whole",
        *(BACKBONE, 'is_part = getattr(type(config), "is_encoder_decoder", False)', "is_part = False"),
        *("tests/unit/test_backbone.py", "of_t5"),
    ),
    Cause(
        "P118 a decoder reads no token",
        *(TEXTS, "return tokenizer.eos_token or tokenizer.pad_token or text", "return text"),
        *("tests/unit/runs/test_probe.py", "decoder_pads"),
    ),
    Cause(
        "P119 an evaluation rounds the weights",
        *(EVALUATION, "changed(arguments, bf16_full_eval=False, fp16_full_eval=False)", "nullcontext()"),
        *("tests/unit/training/test_evaluation_arguments.py", "half_precision and bf16"),
    ),
    Cause(
        "P120 evaluated rows are dropped",
        *(EVALUATION, "changed(self.args, dataloader_drop_last=False)", "nullcontext()"),
        *("tests/unit/training/test_evaluation_arguments.py", "only_training_rows"),
    ),
    Cause(
        "P121 a minimum rate is a share of another rate",
        *(TRAINER, '"lr": highest_rate(groups)}', '"lr": 1.0}'),
        *("tests/unit/training/test_evaluation_arguments.py", "minimum_rate"),
    ),
    Cause(
        "P122 the configuration of a plain encoder cannot be read",
        *(CONFIG, "if kind != cls.model_type and kind in CONFIG_MAPPING:", "if False:"),
        *("tests/unit/test_backbone.py", "peft_saves"),
    ),
    Cause(
        "P123 the part for texts has another name",
        *(CONFIG, '("text_encoder", "encoder", "text_config")', '("text_encoder",)'),
        *("tests/unit/test_backbone.py", "the_part_for_texts"),
    ),
    Cause(
        "P124 embeddings are compared in batches",
        *(FRESH, ".encode(texts, batch_size=1)", ".encode(texts)"),
        *("tests/integration/test_encoder_families.py", "eight_families"),
    ),
    Cause(
        "P125 the format of rows stays",
        *(TEXTS, 'return given if shape["type"] in (None, "custom") else given.with_format(None)', "return given"),
        *("tests/unit/training/test_formats.py", "changes_no_figure and plain-arrow"),
    ),
    Cause(
        "P126 an error does not name the row",
        *(
            "modeling_multitask/training/named_rows.py",
            "    except RowError as error:\n        for name",
            "    except KeyError as error:\n        for name",
        ),
        *("tests/unit/training/test_named_rows.py", "process_that_loads"),
    ),
    Cause(
        "P127 the time limit is for each address",
        *("modeling_multitask/hub_access.py", "asking.join(PATIENCE)", "asking.join()"),
        *("tests/unit/test_hub_access.py", "all_addresses"),
    ),
    Cause(
        "P128 the Trainer aligns the special tokens",
        *(TRAINER, 'align_tokens(model.config, kwargs.get("processing_class"))', "pass"),
        *("tests/integration/test_own_lines.py", "trainer_causes"),
    ),
    Cause(
        "P129 memory is pinned on a CPU",
        *(ARGUMENTS, 'self.device.type not in ("cpu", "mps")', "True"),
        *("tests/integration/test_own_lines.py", "trainer_causes"),
    ),
    Cause(
        "P130 checkpoints are deleted by their time",
        *(SAVING, "use_mtime and has_later_checkpoint(Path(output_dir), step)", "use_mtime"),
        *("tests/integration/test_own_lines.py", "trainer_causes"),
    ),
    Cause(
        "P131 the prompt of the backbone is left out",
        *(TEXTS, "_with_a_token(tokenizer, config.prompt + text)", "_with_a_token(tokenizer, text)"),
        *("tests/unit/test_prompts.py", "equal_those and mean-True"),
    ),
    Cause(
        "P131 the tokens of a prompt are pooled",
        *(MODEL, "skipped=self.config.prompt_length", "skipped=0"),
        *("tests/unit/test_prompts.py", "equal_those and mean-False"),
    ),
    Cause(
        "P132 dense layers have random weights",
        *(MODEL, 'load_dense(path, settings, model.dense, **{**hub_kwargs, "subfolder": ""})', "pass"),
        *("tests/unit/test_dense.py", "equal_those and narrower"),
    ),
    Cause(
        "P132 dense layers are not saved for sentence-transformers",
        *(MODEL, "            write_dense(", "            _ = ("),
        *("tests/unit/test_dense.py", "equal_those and narrower"),
    ),
    Cause(
        "P133 a quote that merges rows is read as one cell",
        *(CSV_TABLES, "if self.layout.quoting is None and self._merges_rows(row):", "if False:"),
        *("tests/unit/datasets_builder/test_csv_layout.py", "merges_rows_is_refused"),
    ),
    Cause(
        "P134 a point among decimal commas is read as a decimal point",
        *(CELL_TABLES, 'if "." in cell:', "if False:"),
        *("tests/unit/datasets_builder/test_csv_layout.py", "a_point_in_a_column"),
    ),
    Cause(
        "P135 a whole number of a sheet keeps its point",
        *(SHEETS, "else cell_word(cell)", "else str(cell)"),
        *("tests/unit/datasets_builder/test_sheet_tables.py", "whole_numbers_have_no_point"),
    ),
    Cause(
        "P136 a whole number is a word for each spelling",
        *(CELL_WORDS, "if not re.match(WHOLE, text)", "if True"),
        *("tests/unit/datasets_builder/test_cell_words.py", "one_word_in_every_spelling"),
    ),
    Cause(
        "P137 a list that cannot be read is split",
        *(LABEL_SETS, "not set(labels) <= set(declared)", "False"),
        *("tests/unit/datasets_builder/test_label_sets.py", "list_that_cannot_be_read"),
    ),
    Cause(
        "P137 texts without a comma between them are one",
        *(CELL_LISTS, r"\s*(?:,\s*{_ITEM}\s*)*", r"\s*(?:,?\s*{_ITEM}\s*)*"),
        *("tests/unit/datasets_builder/test_cell_lists.py", "no_list_is_refused"),
    ),
    Cause(
        "P137 a label may begin with a quote",
        *(LABELS, "has_edges(word) and", "False and"),
        *("tests/unit/datasets_builder/test_label_sets.py", "in_quotes_is_no_label"),
    ),
    Cause(
        "P138 a label is a number of YAML",
        *(YAML_FILE, 'node.tag = "tag:yaml.org,2002:str"', "pass"),
        *("tests/unit/recipes/test_yaml_file.py", "keeps_its_spelling"),
    ),
    Cause(
        "P139 rows without any part of their text are left out",
        *(DERIVED, "        return joined", f"        {SKIPPING}"),
        *("tests/unit/datasets_builder/test_derived.py", "empty_parts"),
    ),
    Cause(
        "P140 an error counts only the rows that where keeps",
        *(PLACES, "if self.numbers is None else int(self.numbers[row])", "if True else 0"),
        *("tests/unit/datasets_builder/test_arranged.py", "keep_their_numbers"),
    ),
    Cause(
        "P145 the checksums of pages are not compared",
        *(ARROW_TABLES, "page_checksum_verification=True", "page_checksum_verification=False"),
        *("tests/unit/datasets_builder/test_arrow_damage.py", "differs_from_its_checksum"),
    ),
    Cause(
        "P146 tabs of OpenDocument are left out",
        *(SHEETS, "if found := _LEFT_OUT.search(content)", "if found := None"),
        *("tests/unit/datasets_builder/test_sheet_tables.py", "that_the_reader_leaves_out"),
    ),
    Cause(
        "P153 each error of a web server is a missing file",
        *("datasets_builder/server_problems.py", "isinstance(error, FileNotFoundError) and error.__cause__", "False"),
        *("tests/unit/datasets_builder/test_remote.py", "names_the_address_and_the_problem"),
    ),
    Cause(
        "P154 a download ends after five minutes",
        *("datasets_builder/servers.py", '"timeout": limits, ', ""),
        *("tests/unit/datasets_builder/test_remote.py", "may_take_hours"),
    ),
    Cause(
        "P155 a compressed file is unpacked on its way",
        *("datasets_builder/servers.py", '"auto_decompress": unpack', '"auto_decompress": True'),
        *("tests/unit/datasets_builder/test_remote.py", "stays_compressed"),
    ),
    Cause(
        "P156 a file system remembers a file",
        *("datasets_builder/servers.py", "skip_instance_cache=True, ", ""),
        *("tests/unit/datasets_builder/test_remote.py", "remembers_nothing"),
    ),
    Cause(
        "P165 an answer that cannot be read is an error of the server",
        *("datasets_builder/server_problems.py", "problem := _broken_answer(cause) or", "problem :="),
        *("tests/unit/datasets_builder/test_remote.py", "cannot_be_read"),
    ),
    Cause(
        "a file that is replaced during its download is kept as the earlier version",
        *("datasets_builder/remote.py", "version != _version(look_up(address)[1])", "False"),
        *("tests/unit/datasets_builder/test_remote.py", "replaced_during_its_download"),
    ),
    Cause(
        "two trained labels get one name",
        *("modeling_multitask/training/growing.py", "labels.count(label) > 1", "False"),
        *("tests/unit/training/test_growing.py", "cannot_get_the_same_name"),
    ),
    Cause(
        "a merged model replaces the folder of its parts",
        *("modeling_multitask/commands/merge.py", "Path(model).resolve().is_relative_to(whole)", "False"),
        *("tests/unit/commands/test_merge.py", "refused_before"),
    ),
    Cause(
        "an output on a server is a local folder",
        *("modeling_multitask/locks.py", "    check_local(output)\n", ""),
        *("tests/unit/test_locks.py", "cannot_be_an_address"),
    ),
    Cause(
        "a download that ends early is kept",
        *("datasets_builder/remote.py", "expected is not None and size != expected", "False"),
        *("tests/unit/datasets_builder/test_remote.py", "shorter_than_announced"),
    ),
    Cause(
        "P147 a gap is equal to every word",
        *(GROUPED, "cells.codes != cells.codes[own_first]", COMPARED),
        *("tests/unit/datasets_builder/test_grouped.py", "other_labels_are_equal"),
    ),
    Cause(
        "P148 an error names the row that a group becomes",
        *(PLACES, "if (votes := self.votes.get(column)) is None:", "if (votes := None) is None:"),
        *("tests/unit/datasets_builder/test_grouped.py", "named_with_its_own"),
    ),
    Cause(
        "P150 empty ids are one id",
        *(KEYED_ROWS, "return words[0]", 'return pc.fill_null(words[0], "")'),
        *("tests/unit/datasets_builder/test_keyed_rows.py", "matches_no_empty_id"),
    ),
    Cause(
        "P151 of several rows with one id the first one is taken",
        *(KEYED_ROWS, "if not len(wrong):", "if True:"),
        *("tests/unit/datasets_builder/test_keyed_rows.py", "that_differ_are_an_error"),
    ),
    Cause(
        "P152 a join without any match goes on",
        *(JOINED, "if not joined or any(", "if True or any("),
        *("tests/unit/datasets_builder/test_joined.py", "matches_no_row"),
    ),
    Cause(
        "P157 labels are decoded for their texts' tokens",
        *(
            ROWS,
            "texts = rows.select_columns([column for column in (TEXT, TEXT_PAIR) if column in rows.column_names])",
            "texts = rows",
        ),
        *("tests/unit/runs/test_rows.py", "without_their_labels"),
    ),
    Cause(
        "P160 a byte order mark within a file is dropped",
        *(CSV_BLOCKS, "if content[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK:", "if False:"),
        *("tests/unit/datasets_builder/test_csv_blocks.py", "byte_order_mark_keeps_it"),
    ),
    Cause(
        "P161 whole numbers of JSON lines are rounded",
        *(JSON_BLOCKS, "pc.all(pc.less(pc.abs(column), _EXACT)).as_py() is not False", "True"),
        *("tests/unit/datasets_builder/test_json_blocks.py", "left_to_python"),
    ),
    Cause(
        "P162 a file that ends within a character is read as a whole one",
        *(ENCODINGS, 'return self._decoder.decode(b"", final=True).encode()', 'return b""'),
        *("tests/unit/datasets_builder/test_csv_blocks.py", "ends_within_a_character"),
    ),
    Cause(
        "P170 an average in half precision does not move",
        *(AVERAGES, "torch.promote_types(weight.dtype, torch.float32)", "weight.dtype"),
        *("tests/unit/training/test_averages.py", "half_precision_moves"),
    ),
    Cause(
        "P171 a metric is measured with other weights than those that are saved",
        *(
            AVERAGING,
            "with self._averaged():\n            return",
            "with with_weights(self.model, {}):\n            return",
        ),
        *("tests/unit/training/test_averaging.py", "a_metric_is_that_of_the_weights"),
    ),
    Cause(
        "P171 a resumed run trains on with the average",
        *(AVERAGING, "copy_weights(self.model, weights)", "pass"),
        *("tests/unit/training/test_resume.py", "uninterrupted_one and middle and ema"),
    ),
    Cause(
        "P172 a moving average still has its start",
        *(AVERAGES, "return min(decay, (1 + count) / (10 + count))", "return decay"),
        *("tests/unit/training/test_averages.py", "soon_forgets_its_start"),
    ),
    Cause(
        "P173 a part that is frozen differs from its average",
        *(AVERAGING, "self.finish(model, step)", "pass"),
        *("tests/unit/training/test_averaging.py", "begins_with_the_average"),
    ),
    Cause(
        "P175 a resumed run keeps the embedding of its checkpoint",
        *("modeling_multitask/training/start_callback.py", "not _are_same(self.first, there)", "False"),
        *("tests/unit/training/test_keep_embedding.py", "embeddings_of_its_checkpoint"),
    ),
    Cause(
        "P176 the rows of a prefetched batch are not counted",
        *(KEEPING, 'len(next(iter(batch["labels"].values())))', "len(batch.get(START, ()))"),
        *("tests/unit/training/test_keep_embedding.py", "prefetched"),
    ),
    Cause(
        "P5 the term of keep_embedding is a mean of means",
        *(KEEPING, "distances.sum() / self._step_rows", "distances.mean()"),
        *("tests/unit/training/test_keep_embedding.py", "accumulated_batches"),
    ),
    Cause(
        "balanced gradients leave out the term of keep_embedding",
        *(TRAINER, " + self.take_kept_gradient()", ""),
        *("tests/unit/training/test_keep_embedding.py", "added_to_the_balanced"),
    ),
    Cause(
        "P180 an encoder without a classifier gets a random one",
        *(CLASSIFIERS, 'if missing := sorted(loaded["missing_keys"]):', "if missing := []:"),
        *("tests/unit/inference/test_classifiers.py", "an_encoder_without_a_classifier"),
    ),
    Cause(
        "P181 another teacher has the answers of the one before",
        *("modeling_multitask/runs/cached_source.py", "repr((_FORMAT, self._digest, key))", "repr((_FORMAT, key))"),
        *("tests/unit/runs/test_teaching.py", "another_teacher"),
    ),
]
