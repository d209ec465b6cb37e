"""A process that imports slow packages once, and forks to run code.

It is run by its path and reads requests from standard input, one in each line. It must not import this package.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import time
import traceback
import types
from typing import Any, NoReturn

HEAVY = (
    "torch",
    "transformers.modeling_utils",
    "transformers.models.auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "transformers.pipelines",
    "transformers.trainer",
    "sentence_transformers",
    "peft",
    "evaluate",
    "sklearn.metrics",
)


def serve() -> None:
    """Answer each request with the exit codes of its processes."""
    for name in HEAVY:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        children = [_fork(request, environment) for environment in request["environments"]]
        sys.stdout.write(f"{json.dumps(_exit_codes(children, request['seconds']))}\n")
        sys.stdout.flush()


def _fork(request: dict[str, Any], environment: dict[str, str]) -> int:
    child = os.fork()
    if child == 0:
        _run(request, environment)
    return child


def _exit_codes(children: list[int], seconds: float) -> list[int]:
    """Return the exit codes of all children. If one fails or the time is over, kill the others."""
    codes: dict[int, int] = {}
    end = time.monotonic() + seconds
    while len(codes) < len(children):
        for child in set(children) - set(codes):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                codes[child] = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end or any(codes.values()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    return [codes[child] for child in children]


def _run(request: dict[str, Any], environment: dict[str, str]) -> NoReturn:
    """Run code like the Python interpreter, with its output in files."""
    code = 1
    try:
        modes = ((os.devnull, os.O_RDONLY), *((request[name], os.O_WRONLY | os.O_APPEND) for name in ("out", "err")))
        for number, (name, mode) in enumerate(modes):
            os.dup2(os.open(name, mode), number)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(environment)
        sys.argv, sys.path[0:1] = request["arguments"], request["paths"]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(request["code"], "<string>", "exec"), main.__dict__)
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    sys.path.insert(0, "")
    serve()
