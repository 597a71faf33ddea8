"""A process of the check: one task, case by case, each reported as soon as it ends.

python -m scaling.check.child EVENTS FOLDER SECONDS DEVICE WORD...

Reports are appended to EVENTS as lines of JSON. Cases that EVENTS names already are skipped, so
that the same command resumes after a crash. All tasks of one check share FOLDER.
"""

import json
import math
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from scaling.check.cases import Case

UNUSABLE = 3  # exit status after an error that makes the GPU unusable for the rest of this process


def cases_of(words: list[str], folder: Path, seconds: float, device: str) -> Iterator[Case]:
    """Return the cases of a task."""
    match words:  # imports only the modules of the task: a process that trains kernels has no torch
        case ["machine"]:
            from scaling.check.machine import machine_cases

            return machine_cases(device)
        case ["compiled", kind]:
            from scaling.check.kernels import alone_cases

            return alone_cases(kind, folder)
        case ["order", first, second]:
            from scaling.check.kernels import pair_cases

            return pair_cases(first, second, folder)
        case ["population", where]:
            from scaling.check.agreement import population_cases

            return population_cases(where)
        case ["reference", where]:
            from scaling.check.agreement import reference_cases

            return reference_cases(where)
        case ["speed", recipe]:
            from scaling.check.speed import cpu_cases

            return cpu_cases(recipe, seconds)
        case ["speed-gpu", recipe]:
            from scaling.check.speed import gpu_cases

            return gpu_cases(recipe, device)
    raise ValueError(f"unknown task {words}")


def main(events: str, folder: str, seconds: str, device: str, *words: str) -> None:
    """Run the cases in order while the time left allows another as long as the longest so far."""
    started, longest = perf_counter(), 0.0
    seen = {
        json.loads(line)["case"] for line in Path(events).read_text(encoding="utf-8").splitlines()
    }
    with Path(events).open("a", encoding="utf-8") as file:

        def report(**event: Any) -> None:
            file.write(json.dumps(_finite(event), allow_nan=False) + "\n")
            file.flush()

        for case in cases_of(list(words), Path(folder), float(seconds), device):
            if case.name in seen:
                continue
            begun = perf_counter()
            if longest and begun - started + longest > float(seconds):
                report(case=case.name, status="not run")
                continue
            report(case=case.name, status="begun")
            result = attempt(case)
            took = perf_counter() - begun
            longest = max(longest, took)
            report(case=case.name, seconds=round(took, 3), **result)
            if "CUDA error" in (result["problem"] or ""):
                sys.exit(UNUSABLE)


def attempt(case: Case) -> dict[str, Any]:
    """Run a case and return its outcome as JSON holds it, even if the case raises."""
    try:
        found = case.run()
    except Exception as error:  # noqa: BLE001  here every error is reported as a failed case
        message = " ".join(f"{type(error).__name__}: {error}".split())
        return {"status": "failed", "problem": message, "traceback": traceback.format_exc()}
    status = "failed" if found.problem else "ok" if found.compared else "not run"
    return {
        "status": status,
        "text": found.text,
        "problem": found.problem,
        "figures": found.figures,
    }


def _finite(value: Any) -> Any:
    """Return a value with null for NaN and infinity, which JSON lacks; problems name them."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    main(*sys.argv[1:])
