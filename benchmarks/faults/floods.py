"""The demo and a pipeline under many clients: every answer is compared, and the memory and the latencies are measured.

python -m benchmarks.faults.floods MODEL --clients 32 --seconds 300

The figures are in `benchmarks/results/floods.json`.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from gradio_client import Client
from transformers import pipeline

RESULTS = Path(__file__).parents[1] / "results" / "floods.json"
WORDS = "the battery soup film waiter was were is good bad long not very naïve and left within an hour".split()  # noqa: SIM905
TEXTS = 200

Ask = Callable[[str], Any]


def main() -> None:
    """Send texts from many clients for some seconds: to the demo, then to one pipeline that all threads share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--port", type=int, default=7871)
    arguments = parser.parse_args()
    classify = pipeline("multitask-classification", model=arguments.model, trust_remote_code=True)
    expected = {text: classify(text) for text in some_texts()}
    words = ["-m", "modeling_multitask", "demo", arguments.model, "--no_browser", "--port", str(arguments.port)]
    address = f"http://127.0.0.1:{arguments.port}"
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        print(server.stdout.readline(), end="", flush=True)
        found = {"demo": flood(lambda: client(address), expected, arguments, psutil.Process(server.pid))}
        server.terminate()
    found["pipeline"] = flood(lambda: classify, expected, arguments, psutil.Process())
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


def client(address: str) -> Ask:
    """Return a function that asks the demo."""
    connected = Client(address, verbose=False)
    return lambda text: connected.predict(text, api_name="/answer")


def some_texts() -> list[str]:
    """Return texts of a few words, and texts with characters of every plane of Unicode."""
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 40))) for _ in range(TEXTS)]
    planes = [chr(code) for code in range(0x20, 0x110000, 397) if unicodedata.category(chr(code)) not in ("Cs", "Cn")]
    return texts + ["".join(draw.sample(planes, 60)) for _ in range(TEXTS // 4)]


def flood(
    connect: Callable[[], Ask], expected: dict[str, Any], arguments: argparse.Namespace, server: psutil.Process
) -> dict[str, Any]:
    """Return the number of requests and of wrong answers, the memory and the percentiles of the latency."""
    first = connect()
    for text in list(expected)[:20]:  # before the memory is measured for the first time
        first(text)
    memory = [server.memory_info().rss]
    ends, lock = time.monotonic() + arguments.seconds, threading.Lock()
    latencies: list[float] = []
    wrong: list[str] = []

    def send(number: int) -> None:
        ask, draw = connect(), random.Random(number)
        while time.monotonic() < ends:
            text = draw.choice(list(expected))
            started = time.monotonic()
            answer = ask(text)
            with lock:
                latencies.append(time.monotonic() - started)
                if not same(answer, expected[text]):
                    wrong.append(text)

    with ThreadPoolExecutor(arguments.clients) as pool:
        list(pool.map(send, range(arguments.clients)))
    memory.append(server.memory_info().rss)
    return {
        "clients": arguments.clients,
        "seconds": arguments.seconds,
        "requests": len(latencies),
        "wrong": len(wrong),
        "latency": {f"p{share}": round(float(np.percentile(latencies, share)), 3) for share in (50, 90, 99, 100)},
        "memory_mb": [round(each / 1e6) for each in memory],
    }


def same(answer: Any, expected: Any) -> bool:
    """Return whether two answers are equal, with scores that differ by at most 0.01: the demo may use bfloat16."""
    if isinstance(expected, dict):
        return set(answer) == set(expected) and all(same(answer[name], each) for name, each in expected.items())
    if isinstance(expected, list):
        return len(answer) == len(expected) and all(map(same, answer, expected))
    if isinstance(expected, float):
        return abs(answer - expected) <= 0.01
    return bool(answer == expected)


if __name__ == "__main__":
    main()
