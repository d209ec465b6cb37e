"""A process that has imported what takes long to import, and forks to run each piece of code that it is given.

It is run by its path and reads requests from its standard input, one in each line; nothing of ours is in it.
"""

import contextlib
import importlib
import json
import os
import sys
import traceback
import types
from pathlib import Path
from typing import Any, NoReturn

HEAVY = (
    "torch",
    "transformers.modeling_utils",
    "transformers.models.auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "transformers.pipelines",
    "sentence_transformers",
    "peft",
)


def serve() -> None:
    """Answers each request with the exit code of its process."""
    for name in HEAVY:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> NoReturn:
    """Runs code as `python -c` would, with its output in files."""
    code = 1
    try:
        for number, name in enumerate((os.devnull, request["stdout"], request["stderr"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
        os.chdir(request["folder"])
        sys.argv, sys.path[0:1] = ["-c", *request["arguments"]], [""]
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
    sys.path[0:1] = [str(Path.cwd())]  # not the folder of this file
    serve()
