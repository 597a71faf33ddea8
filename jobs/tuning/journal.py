"""The file of a tuning's Optuna study, beside the results, in a folder or a bucket."""

import json
from typing import Any

from optuna.exceptions import OptunaError
from optuna.storages.journal import BaseJournalBackend

from scaling.store.store import Store
from scaling.untrusted import MOST_SMALL, parse_json

# What Optuna raises as it replays a journal that it did not write.
DAMAGE = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, OSError),
    *(OverflowError, OptunaError),
)


class Journal(BaseJournalBackend):
    """Keep Optuna's journal in a results folder or at a URI, in the format of its own files.

    Each entry writes the whole file anew: a killed driver leaves neither half a line nor a lock.
    """

    def __init__(self, store: Store, key: str) -> None:
        """Raise ValueError or OSError for a file that is no journal."""
        self._store, self._key = store, key
        lines = (store.read_file(key) or b"").splitlines()
        self._logs: list[dict[str, Any]] = [parse_json(line, most=MOST_SMALL) for line in lines]

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._logs += logs
        lines = (json.dumps(log, separators=(",", ":")) + "\n" for log in self._logs)
        self._store.write_file(self._key, "".join(lines).encode())
