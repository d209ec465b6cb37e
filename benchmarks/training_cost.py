"""The CPU seconds and wall seconds of a process, with the processes that it started and waited for."""

import resource
import time


def training_cost(started: float) -> dict[str, float]:
    """Return the seconds until now, with the imports.

    Args:
        started: The `time.time()` at which another process started this one.
    """
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return {"cpu_seconds": round(cpu, 2), "wall_seconds": round(time.time() - started, 2)}
