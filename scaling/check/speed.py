"""Microseconds per example and model: every engine on one core, the population engine on a GPU."""

import gc
from collections.abc import Iterator
from dataclasses import asdict

from scaling import engines
from scaling.bench import together
from scaling.bench.floor import fastest_fma
from scaling.bench.rounds import MAX_EXAMPLES, Spread, run_interleaved
from scaling.bench.steps import Effort, cell_of, measure, one_thread
from scaling.check.cases import Case, Outcome, noise_examples
from scaling.engines import compiled

WIDTHS = (1, 2, 4)
GPU_MEMBERS = (1, 64, 1024, 4096)
ROUNDS, GPU_ROUNDS = 5, 3
ROUND_S = 1.0  # one round with all engines (measured on a busy core)
GPU_TRAIN_S, GPU_EVALUATE_S = 1.0, 0.3  # of one run


def cpu_cases(recipe: str, seconds: float) -> Iterator[Case]:
    """Yield a case for each width: every engine on a core, plain PyTorch and the floor."""
    images = noise_examples(MAX_EXAMPLES)
    fma = fastest_fma() if compiled.unavailable() is None else None
    rounds = max(1, min(ROUNDS, int(seconds / len(WIDTHS) / 2 / ROUND_S)))
    for width in WIDTHS:
        effort = Effort(widths=(width,), rounds=rounds)

        def run(effort: Effort = effort) -> Outcome:
            rows = list(measure(images, fma, effort, _ignore, (recipe,)))
            us = {row.engine: row.us for row in rows} | {"plain PyTorch": rows[0].loop_us}
            us |= {"floor": rows[0].floor_us} if rows[0].floor_us else {}
            text = ", ".join(f"{name} {_digits(value)} us" for name, value in us.items())
            return Outcome(text=text, figures={"rows": [asdict(row) for row in rows]})

        yield Case(name=f"{recipe}, width {width}", run=run)


def _ignore(_amount: float, _text: str) -> None:
    """Ignore the progress within a case, as the runner reports cases."""


def gpu_cases(recipe: str, device: str) -> Iterator[Case]:
    """Yield a case for each number of members in lock-step on a GPU."""
    for members in GPU_MEMBERS:

        def run(members: int = members) -> Outcome:
            return _members(recipe, members, engines.resolve_device(device))

        yield Case(name=f"{recipe}, {members:,} models", run=run)


def _members(recipe: str, members: int, device: str) -> Outcome:
    import torch

    on_gpu = device == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    try:
        with one_thread():
            trains, evaluates = together.contenders(
                "train",
                cell_of(recipe, 1),
                members,
                device,
                noise_examples(MAX_EXAMPLES),
                GPU_TRAIN_S,
                GPU_EVALUATE_S,
            )
            us = run_interleaved([trains, evaluates], GPU_ROUNDS, lambda: None)
    except torch.cuda.OutOfMemoryError as error:
        return Outcome(text="out of memory", figures={"members": members, "error": str(error)})
    finally:
        gc.collect()
        if on_gpu:
            torch.cuda.empty_cache()
    train, evaluate = (Spread.of(us[c.name]) for c in (trains, evaluates))
    figures = {
        "members": members,
        "us": train.median,
        "us_range": train[1:],
        "evaluate_us": evaluate.median,
        "step_us": train.median * members,
        "peak_memory_gb": torch.cuda.max_memory_allocated() / 1e9 if on_gpu else None,
        "device": device,
    }
    return Outcome(
        text=f"{_digits(train.median)} us an example and model,"
        f" {_digits(evaluate.median)} us an image to evaluate,"
        f" {_digits(train.median * members)} us a step",
        figures=figures,
    )


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
