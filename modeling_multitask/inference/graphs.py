"""An exported model at work on many texts, in place of torch.

Shapes: N texts, D width of the encoder, C classes of one task.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from tqdm import tqdm

from ..configuration_multitask import MultiTaskConfig
from ..extras import import_extra
from ..modeling_multitask import resolve_model_path
from ..tasks_multitask import TaskConfig
from .batches import BLOCK, Text
from .predict_onnx import MultiTaskOnnx
from .text_encoder import Outputs

GRAPHS = {"onnx": "model.onnx", "openvino": "openvino_model.xml"}
_RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}


class GraphEncoder:
    """An export, as `multitask export` leaves it, with the face of a [`TextEncoder`].

    Args:
        model: A folder or a Hub id that holds an export, at its root or in a folder called like the backend.
        backend: `onnx` or `openvino`.

    Raises:
        FileNotFoundError: If there is no such export.
        ImportError: If the extra is not installed.
    """

    def __init__(self, model: str, backend: str) -> None:
        import_extra(_RUNTIMES[backend], extra=backend)
        self._folder = _find(model, backend)
        self.tasks: list[TaskConfig] = MultiTaskConfig.from_pretrained(self._folder).tasks
        self._graph = MultiTaskOnnx(self._folder, file=GRAPHS[backend])

    def digest(self) -> str:
        """A hash of all that answers depend on."""
        digest = hashlib.blake2b(digest_size=16)
        for path in sorted(path for path in self._folder.iterdir() if path.is_file()):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def run(self, texts: Sequence[Text], *, show_progress: bool = False) -> Outputs:
        """The embeddings and every task's logits."""
        parts = []
        with tqdm(total=len(texts), unit=" texts", disable=not show_progress) as bar:
            for start in range(0, max(len(texts), 1), BLOCK):  # of no texts the shapes are asked for all the same
                parts.append(self._graph.run(texts[start : start + BLOCK]))
                bar.update(len(texts[start : start + BLOCK]))
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Outputs(found["sentence_embedding"], {task.name: found[f"{task.name}.logits"] for task in self.tasks})


def _find(model: str, backend: str) -> Path:
    """The folder of the export."""
    root = Path(resolve_model_path(model))
    if not root.is_dir():
        try:
            root = Path(snapshot_download(model, allow_patterns=[f"{backend}/*"]))
        except (HfHubHTTPError, OSError, ValueError) as error:
            raise FileNotFoundError(f"{model}: no such folder, nor a model that the Hub gives ({error})") from error
    for folder in (root, root / backend):
        if (folder / GRAPHS[backend]).is_file():
            return folder
    raise FileNotFoundError(
        f"{model} holds no {GRAPHS[backend]}; write one by: "
        f"multitask export {model} {model}/{backend} --format {backend}"
    )
