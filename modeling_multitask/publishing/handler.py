"""The handler with which Hugging Face Inference Endpoints answers requests. A push copies this file to the repository.

The server of an endpoint, huggingface-inference-toolkit, imports this file from the downloaded repository, creates one
handler, and calls it for each request.
"""

from pathlib import Path
from typing import Any

from transformers import pipeline


class EndpointHandler:
    """A model that answers the requests to an endpoint.

    Args:
        path: The folder of the model. By default that of this file.
    """

    def __init__(self, path: str = "") -> None:
        folder = path or str(Path(__file__).parent)
        self.classify = pipeline("multitask-classification", model=folder, trust_remote_code=True)

    def __call__(self, data: dict[str, Any]) -> Any:
        """Return the answers to all tasks: one dict for one text, and a list for a list.

        Args:
            data: A request. `inputs` is a text, a pair as `{"text": ..., "text_pair": ...}`, or a list of these.
                `parameters` is optional and has arguments of the pipeline: `top_k`, `tasks`, `return_embedding` and
                `batch_size`.
        """
        return self.classify(data["inputs"], **(data.get("parameters") or {}))
