"""The population engine: members of one cell in lock-step, in PyTorch, on the CPU or a GPU.

It trains every model and recipe that the reference trains. This file needs no torch:

    images         each member's images, as indices into one copy of all
    draws          shifts and dropout by the counters of scaling/data/counter_rng.py
    epoch_batches  an epoch's presentations, some at a time
    products       convolutions as matrix products
    tracing        a step recorded as PyTorch's operations
    network        K networks: any module, under vmap
    optimizers     K members, each at its own rates, in one expression
    capture        a step as a CUDA graph
    model          K members in training
    engine         the loop over epochs, failures, results

A step of PyTorch is a hundred calls, whose overhead the members share. Members of a cell make
equally many steps, and those that fail leave, so that none waits for another.

It has not been run on a GPU yet; `scaling bench --device cuda` measures it there.
"""

from scaling.study import Cell

# Limits that bound the memory. Measured on a busy core, 1989 at width 1: 114, 74 and 72 us an
# example for 16, 32 and 64 members. Beyond 4 million weights the caches are full: at width 8,
# 3,850 us for 32 members and 2,240 for 4. CUDA assumed.
MOST_MEMBERS = {"cpu": 32, "cuda": 4096}
MOST_WEIGHTS = {"cpu": 4_000_000, "cuda": 1_000_000_000}
# Microseconds on a GPU, assumed: of a step with few members, and of an example at width 1.
GPU_STEP_US, GPU_US = 200.0, 0.2
GROUP_SIZE = 16  # members in lock-step that share most of the overhead


def supports(cell: Cell, device: str) -> str | None:  # noqa: ARG001  the engines' common signature
    """Return None, as this engine can train every cell on every device."""
    return None


def max_members(cell: Cell, device: str) -> int:
    """Return the largest number of members to train in lock-step."""
    fit = MOST_WEIGHTS[device] // cell.sizes.n_params
    return max(1, min(MOST_MEMBERS[device], fit))


def is_faster(cell: Cell, device: str, members: int) -> bool:
    """Return whether it is faster than the reference on the CPU; on a GPU assume that it is.

    It is not for one member with one example a step. Measured on a busy core, us an example: the
    reference 940; this engine 1,020 for one member and 510 for two, and it takes a second to start.
    """
    return device != "cpu" or members > 1 or cell.recipe.batch_size > 1


def gpu_utilization(cell: Cell, members: int) -> float:
    """Return the share of the time in which a GPU computes and does not wait for the next call."""
    k = min(members, max_members(cell, "cuda"))
    work = GPU_US * cell.sizes.n_macs / 63_660 * k * cell.recipe.batch_size
    return work / (GPU_STEP_US + work)


def us_per_example(cell: Cell, device: str, members: int) -> tuple[float, float]:
    """Return predicted microseconds to train one member on one example, and to evaluate one.

    Units: of one core (measured, scaled to the 2 GHz Xeon of the reference's figures by the ratio
    of both), or of one GPU (assumed).
    """
    recipe, growth = cell.recipe, cell.sizes.n_macs / 63_660
    k = min(members, max_members(cell, device))
    if device == "cuda":
        return GPU_STEP_US / k / recipe.batch_size + GPU_US * growth, 0.1 * growth
    step = 450 / k
    if recipe.optimizer in ("adamw", "muon"):
        step += 0.0025 * cell.sizes.n_params
    if recipe.optimizer == "muon":
        step += 70 * growth
    slower = 1 + 0.6 * (recipe.norm != "none") + 2 * (recipe.connections == "cyclic")
    return step / recipe.batch_size + 24 * growth * slower, 17 * growth
