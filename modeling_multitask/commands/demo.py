"""Start a web page that answers texts with a model.

multitask demo runs/quickstart/model
"""

import argparse
import importlib
import signal
import socket
import threading
from pathlib import Path

from ..extras import import_extra
from ..files import is_folder
from .arguments import Parser, positive
from .command import command


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser("demo", "MODEL [--port N] [--example TEXT] [--no_browser]", "Try a model in the browser.")
    parser.add_positional("model", help="the model: a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_argument("--port", type=positive, metavar="N", default=7860, help="local port (default: %(default)s)")
    parser.add_argument("--example", action="append", metavar="TEXT", help="an example text; repeat for several")
    parser.add_argument("--no_browser", action="store_true", help="do not open a browser")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Load the model and serve the page until interrupted."""
    import_extra("gradio", extra="demo")
    interface = importlib.import_module("modeling_multitask.publishing.demo.interface")  # imports gradio
    from ..inference.loading import load
    from ..paths_multitask import resolve_model_path
    from ..pipeline_multitask import MultiTaskPipeline
    from ..publishing.evidence import Evidence, read_evidence

    _check_port(arguments.port)
    model, tokenizer = load(arguments.model)
    folder = resolve_model_path(arguments.model)
    on_hub = not is_folder(folder)
    evidence = Evidence() if on_hub else read_evidence(Path(folder))
    examples = arguments.example or evidence.recipe.get("examples")
    about = interface.About(
        title=evidence.settings.title or arguments.model,
        model_id=arguments.model if on_hub else None,
        revision=getattr(model.config, "_commit_hash", None),
        **({"examples": examples} if examples else {}),
    )
    classify = MultiTaskPipeline(model=model, tokenizer=tokenizer, device=model.device)
    demo = interface.build_demo(classify, about)
    for each in (signal.SIGTERM, signal.SIGINT):  # shells make background commands ignore SIGINT
        signal.signal(each, signal.default_int_handler)
    try:
        browser = not arguments.no_browser
        interface.launch(demo, server_port=arguments.port, inbrowser=browser, prevent_thread_lock=True, quiet=True)
        print(f"The demo runs at {demo.local_url}. Press Ctrl-C to stop it.", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        demo.close(verbose=False)


def _check_port(port: int) -> None:
    """Raise an `OSError` if the port is not available, before the model is loaded."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OSError(f"port {port}: {reason}; choose another port with --port") from error


main = command(build_parser, run)
