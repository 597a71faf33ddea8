"""The population engine: members of one cell in lock-step, in PyTorch, on the CPU or a GPU.

It trains every model and recipe that the reference trains. Here is only what can be said without
torch; the work begins in engine.py.

    images      which images each member sees, from one copy of them all
    draws       shifts and dropout by the counters of scaling/data/counter_rng.py
    epoch_batches  an epoch's presentations, some at a time
    products    convolutions as products of matrices
    tracing     a step recorded as the operations that it comes down to
    network     K networks: any module, under vmap
    optimizers  K members, each at its own rates, in one expression
    capture     a step as a CUDA graph
    model       K members in training
    engine      the loop over epochs; who failed; the results

What it costs: a step of PyTorch is a hundred calls, whose overhead the members share. Members of a
cell all have as many steps, and who fails leaves, so that nobody waits for anybody.

It has not been run on a GPU yet. `scaling bench --device cuda` would measure it there.
"""

from scaling.study import Cell

# Members at once, so that memory is bounded. CPU measured: 114, 74 and 72 us an example for 16, 32
# and 64 of them (1989 at width 1, a busy core), and beyond 4 million weights the caches are full
# (at width 8, 3,850 us for 32 members and 2,240 for 4). CUDA assumed.
MOST_MEMBERS = {"cpu": 32, "cuda": 4096}
MOST_WEIGHTS = {"cpu": 4_000_000, "cuda": 1_000_000_000}
# Microseconds on a GPU, assumed: of a step however few learn in it, and of an example at width 1.
GPU_STEP_US, GPU_US = 200.0, 0.2
FEW = 16  # members in lock-step that are worth waiting for: they share most of the overhead


def supports(cell: Cell, device: str) -> str | None:  # noqa: ARG001  as the other engines'
    """Why this engine cannot train a cell on a device: it can."""
    return None


def at_once(cell: Cell, device: str) -> int:
    """How many members it trains in lock-step, if there are as many."""
    fit = MOST_WEIGHTS[device] // cell.sizes.n_params
    return max(1, min(MOST_MEMBERS[device], fit))


def worthwhile(cell: Cell, device: str, members: int) -> bool:
    """Whether it is faster than the reference: with a single model and example a step, it is not.

    Measured, CPU: 940 us an example against 1,020 for one member, 510 for two (a busy core), and
    it takes a second to start. Nothing is known of a GPU.
    """
    return device != "cpu" or members > 1 or cell.recipe.batch_size > 1


def busy(cell: Cell, members: int) -> float:
    """The share of its time in which a GPU computes, and does not wait for the next call."""
    k = min(members, at_once(cell, "cuda"))
    work = GPU_US * cell.sizes.n_macs / 63_660 * k * cell.recipe.batch_size
    return work / (GPU_STEP_US + work)


def us_per_example(cell: Cell, device: str, members: int) -> tuple[float, float]:
    """Microseconds to train one member on one example, and to evaluate one, for predictions only.

    Units: of one core (measured, brought to the 2 GHz Xeon of the reference's figures by a ratio of
    both), or of one GPU (assumed).
    """
    recipe, grows = cell.recipe, cell.sizes.n_macs / 63_660
    k = min(members, at_once(cell, device))
    if device == "cuda":
        return GPU_STEP_US / k / recipe.batch_size + GPU_US * grows, 0.1 * grows
    step = 450 / k
    if recipe.optimizer in ("adamw", "muon"):
        step += 0.0025 * cell.sizes.n_params
    if recipe.optimizer == "muon":
        step += 70 * grows
    slower = 1 + 0.6 * (recipe.norm != "none") + 2 * (recipe.connections == "cyclic")
    return step / recipe.batch_size + 24 * grows * slower, 17 * grows
