"""The folder of an adapter: the low-rank weights, the heads and the base model."""

import copy
from pathlib import Path

from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerBase

from ..inference.saving import save_folder, save_tokenizer


def save_adapter(model: PeftModel, tokenizer: PreTrainedTokenizerBase, folder: str | Path) -> None:
    """Save the adapter, and its base model in a subfolder. `AutoPeftModel` and this package load both together.

    Args:
        model: The trained model of `add_lora`.
        tokenizer: The tokenizer of the model.
        folder: The output folder, which is created. The subfolder `base` contains the original encoder, and heads that
            the adapter replaces. `adapter_config.json` has the absolute path of `base`, because peft supports no
            relative path. If you move the folder, change `base_model_name_or_path` too.
    """
    folder = Path(folder).resolve()
    save_folder(copy.deepcopy(model).unload(), tokenizer, folder / "base")
    config = model.peft_config[model.active_adapter]
    config.base_model_name_or_path = str(folder / "base")
    model.save_pretrained(folder)
    written = copy.copy(config)
    written.init_lora_weights = True  # `pissa` and similar methods would change the base again at loading
    # peft writes the class of the model, which others cannot import. The Auto class finds it in the files of `base`.
    auto_class = {"base_model_class": "AutoModel", "parent_library": "transformers"}
    written.save_pretrained(folder, auto_mapping_dict=auto_class)
    (folder / "README.md").unlink(missing_ok=True)  # an empty card with paths of this machine
    _name_magnitudes(folder / "adapter_model.safetensors")
    save_tokenizer(tokenizer, model.config.max_length, folder)


def _name_magnitudes(path: Path) -> None:
    """Give the magnitudes of DoRA the full names that transformers needs. peft accepts both names."""
    tensors = load_file(path)
    renamed = {
        f"{name}.weight" if name.endswith(".lora_magnitude_vector") else name: each for name, each in tensors.items()
    }
    if renamed.keys() != tensors.keys():
        save_file(renamed, path, metadata={"format": "pt"})
