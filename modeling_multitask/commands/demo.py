"""Show what a model answers, in a browser.

multitask demo runs/quickstart/model
"""

import argparse
import importlib
import signal
import socket
import threading
from pathlib import Path

from ..extras import import_extra
from ..files import is_there
from .arguments import Parser, positive
from .command import command


def build_parser() -> Parser:
    """The arguments of the command."""
    parser = Parser(
        "demo", "MODEL [--port N] [--example TEXT] [--no_browser]", "Show what a model answers, in a browser."
    )
    parser.add_positional("model", help="a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_argument("--port", type=positive, metavar="N", default=7860, help="of the page (%(default)s)")
    parser.add_argument("--example", action="append", metavar="TEXT", help="a text to choose; may be given again")
    parser.add_argument("--no_browser", action="store_true", help="do not open a browser")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Load, serve, and wait until interrupted."""
    import_extra("gradio", extra="demo")
    interface = importlib.import_module("modeling_multitask.publishing.demo.interface")  # which imports gradio
    from ..inference.loading import load
    from ..modeling_multitask import resolve_model_path
    from ..pipeline_multitask import MultiTaskPipeline
    from ..publishing.evidence import Evidence, read_evidence

    _check_port(arguments.port)
    model, tokenizer = load(arguments.model)
    on_hub = not (is_there(arguments.model) or arguments.model.startswith("package:"))
    evidence = Evidence() if on_hub else read_evidence(Path(resolve_model_path(arguments.model)))
    examples = arguments.example or evidence.recipe.get("examples")
    about = interface.About(
        title=evidence.settings.title or arguments.model,
        model_id=arguments.model if on_hub else None,
        revision=getattr(model.config, "_commit_hash", None),
        **({"examples": examples} if examples else {}),
    )
    classify = MultiTaskPipeline(model=model, tokenizer=tokenizer, device=model.device)
    demo = interface.build_demo(classify, about)
    for each in (signal.SIGTERM, signal.SIGINT):  # a shell has its background commands ignore the latter
        signal.signal(each, signal.default_int_handler)
    try:
        browser = not arguments.no_browser
        interface.launch(demo, server_port=arguments.port, inbrowser=browser, prevent_thread_lock=True, quiet=True)
        print(f"The demo is at {demo.local_url} until you press Ctrl-C", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        demo.close(verbose=False)


def _check_port(port: int) -> None:
    """Before the model is loaded, for that takes a while."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OSError(f"port {port}: {reason}; give another with --port") from error


main = command(build_parser, run)
