"""Whether a model's bits must come back on this machine.

The compiled engine promises equal bits on processors of the same name, with every numpy; on another
one, which may fuse nothing, bits are compared and a difference is excused. Engines that
compute sums by PyTorch promise equal bits on one processor, with one version of PyTorch.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from scaling import engines
from scaling.engines.versions import VERSIONS, processor, uses_torch
from scaling.verifying.folder import StoredModel
from scaling.verifying.plans import Planned


def doubts(model: StoredModel, planned: Planned) -> list[str]:
    """Return why this machine need not give equal bits; empty if it must."""
    then, now = model.versions, _machine(model, planned)
    reasons = [
        f"{name} unknown then, {here or 'unknown'} now"
        if then.get(name) is None
        else f"{name} {then[name]} then, {here or 'unknown'} now"
        for name, here in now.items()
        if here is None or then.get(name) != here
    ]
    if "torch" in now and "threads" not in then:
        reasons.append("threads of PyTorch unknown then")
    if model.last["device"] != "cpu":
        reasons.append(f"trained on {model.last['device']}")
    return reasons


def evidence(model: StoredModel, planned: Planned) -> tuple[Any, ...]:
    """Return a key: either all models of one key give equal bits on a machine, or none does.

    It holds engine, device and the machine that the rows name. If that is another machine than this
    one, the bits of some cells may agree and those of others not, so the key also holds the cell.
    """
    then, now = model.versions, _machine(model, planned)
    keys = (*now, "threads") if "torch" in now else tuple(now)
    other = any(name in then and then[name] != here for name, here in now.items())
    cell = planned.cell.cell_id if other or model.last["device"] != "cpu" else None
    return model.last["engine"], model.last["device"], cell, *((k, then.get(k)) for k in keys)


def _machine(model: StoredModel, planned: Planned) -> dict[str, str | None]:
    """Return this machine's properties that a model's bits depend on; None where unknown."""
    engine, cell = str(model.last["engine"]), planned.cell
    now: dict[str, str | None] = {
        "engine": str(VERSIONS[engine]),
        "processor": processor(engine),
    }
    with_torch = uses_torch(engine, cell)
    if cell.start and (first := engines.choose(cell.start, members=1)):
        with_torch = with_torch or uses_torch(first, cell.start)
    if with_torch:
        now["torch"] = _installed("torch")
    return now


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
