"""Names of the files of models: they follow from the models, so that a swapped file is seen."""

import hashlib
from collections.abc import Iterable, Sequence

COMPACT = "compact"  # begins the names of files that `scaling compact` writes
DIGITS = 16  # of the hash in the name of a file of several models


def name_of(run_ids: Sequence[str], prefix: str) -> str:
    """Return the name of a file of these models: of one model its run_id, else with a hash."""
    return run_ids[0] if len(run_ids) == 1 else f"{prefix}-{_hash(run_ids)}"


def is_name_of(name: str, run_ids: Sequence[str]) -> bool:
    """Return whether a file of these models may have this name."""
    return name in run_ids[:1] if len(run_ids) == 1 else name.endswith(f"-{_hash(run_ids)}")


def _hash(run_ids: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(run_ids)).encode()).hexdigest()[:DIGITS]
