"""The folder of an adapter alone: low-rank weights and heads, and the model they sit on."""

import copy
from pathlib import Path

from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerBase

from ..inference.saving import save_folder, save_tokenizer


def save_adapter(model: PeftModel, tokenizer: PreTrainedTokenizerBase, folder: str | Path) -> None:
    """Writes the adapter, and beneath it the model it is for, which `AutoPeftModel` and we load together.

    Args:
        model: What `add_lora` has made, trained.
        tokenizer: Its tokenizer.
        folder: Made if it is not there; `base` in it holds the encoder as it was and heads that the adapter replaces.
            `adapter_config.json` names it by its absolute path, for peft knows no relative one: where the folder is
            moved, `base_model_name_or_path` must follow.
    """
    folder = Path(folder).resolve()
    save_folder(copy.deepcopy(model).unload(), tokenizer, folder / "base")
    config = model.peft_config[model.active_adapter]
    config.base_model_name_or_path = str(folder / "base")
    model.save_pretrained(folder)
    written = copy.copy(config)
    written.init_lora_weights = True  # `pissa` and its kin would take their part out of the base once more, at loading
    # peft names the class of the model, which nobody else can import; the Auto class finds it in the base's files.
    auto_class = {"base_model_class": "AutoModel", "parent_library": "transformers"}
    written.save_pretrained(folder, auto_mapping_dict=auto_class)
    (folder / "README.md").unlink(missing_ok=True)  # an empty card that names paths of this machine
    _name_magnitudes(folder / "adapter_model.safetensors")
    save_tokenizer(tokenizer, model.config.max_length, folder)


def _name_magnitudes(path: Path) -> None:
    """Gives DoRA's magnitudes the full names that transformers looks for; peft takes either."""
    tensors = load_file(path)
    renamed = {
        f"{name}.weight" if name.endswith(".lora_magnitude_vector") else name: each for name, each in tensors.items()
    }
    if renamed.keys() != tensors.keys():
        save_file(renamed, path, metadata={"format": "pt"})
