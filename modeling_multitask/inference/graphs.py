"""Run an exported model on many texts, without torch.

Shapes: N texts, D width of the encoder, C classes of one task.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from tqdm import tqdm

from ..extras import import_extra
from ..hub_access import hub_access
from ..paths_multitask import resolve_model_path
from ..tasks_multitask import TaskConfig
from ..texts_multitask import Text
from .batches import BLOCK
from .loading import model_hint, read_config
from .predict_onnx import BATCH_SIZE, MultiTaskOnnx
from .text_encoder import Outputs

GRAPHS = {"onnx": "model.onnx", "openvino": "openvino_model.xml"}
_RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}


class GraphEncoder:
    """An export written by `multitask export`, with the interface of a [`TextEncoder`].

    Args:
        model: A folder or a Hub id with an export at its root, or in a folder with the name of the backend.
        backend: `onnx` or `openvino`.
        batch_size: The number of texts in one pass. The default is that of the export, 32.
        prompt_name: The name of one of the model's prompts, to put before each text instead of the default one.
        prompt: A text to put before each text, instead of a name.

    Raises:
        ValueError: If `batch_size` is not positive, or the prompt is unknown.
        FileNotFoundError: If the export is not found.
        ImportError: If the extra is not installed.
    """

    device = "cpu"

    def __init__(
        self,
        model: str,
        backend: str,
        *,
        batch_size: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        self._batch_size = batch_size or BATCH_SIZE
        import_extra(_RUNTIMES[backend], extra=backend)
        self._folder = _find(model, backend)
        self.tasks: list[TaskConfig] = read_config(str(self._folder)).tasks
        self._graph = MultiTaskOnnx(self._folder, file=GRAPHS[backend])
        self._prompt = self._graph.chosen_prompt(prompt_name, prompt)

    def digest(self) -> str:
        """Return a hash of everything that the answers depend on."""
        digest = hashlib.blake2b(digest_size=16)
        for path in sorted(path for path in self._folder.iterdir() if path.is_file()):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def run(self, texts: Sequence[Text], *, show_progress: bool = False) -> Outputs:
        """Return the embeddings and every task's logits."""
        parts = []
        with tqdm(total=len(texts), unit=" texts", disable=not show_progress) as bar:
            for start in range(0, max(len(texts), 1), BLOCK):  # one pass even without texts, for the shapes
                parts.append(self._run(texts[start : start + BLOCK]))
                bar.update(len(texts[start : start + BLOCK]))
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Outputs(found["sentence_embedding"], {task.name: found[f"{task.name}.logits"] for task in self.tasks})

    def _run(self, texts: Sequence[Text]) -> dict[str, np.ndarray]:
        return self._graph.run(texts, batch_size=self._batch_size, prompt=self._prompt)


def _find(model: str, backend: str) -> Path:
    """Return the folder of the export."""
    root = Path(resolve_model_path(model))
    if not root.is_dir():
        with hub_access(model) as unreachable:
            try:
                root = Path(snapshot_download(model, allow_patterns=[f"{backend}/*"]))
            except (HfHubHTTPError, OSError, ValueError) as error:
                where = f"not found on the Hub ({error})" if unreachable is None else unreachable
                raise FileNotFoundError(f"{model}: not a local folder, and {where}") from error
    for folder in (root, root / backend):
        if (folder / GRAPHS[backend]).is_file():
            return folder
    if hint := model_hint(model, root):
        raise FileNotFoundError(f"{model} contains no {GRAPHS[backend]}{hint}")
    raise FileNotFoundError(
        f"{model} contains no {GRAPHS[backend]}; write it with: "
        f"multitask export {model} {model}/{backend} --format {backend}"
    )
