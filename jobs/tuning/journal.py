"""The file of a tuning's Optuna study, beside the results, in a folder or a bucket."""

from functools import partial
from typing import Any

from optuna.exceptions import OptunaError
from optuna.storages.journal import BaseJournalBackend

from scaling.store.digest import open_json, seal_json
from scaling.store.store import Store
from scaling.untrusted import MOST_SMALL, parse_json

# What Optuna raises as it replays a journal that it did not write.
DAMAGE = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, OSError),
    *(OverflowError, OptunaError),
)


class Journal(BaseJournalBackend):
    """Keep Optuna's journal in a results folder or at a URI, in the format of its own files.

    Each line holds its digest, which Optuna does not read.

    Each entry writes the whole file anew: a killed driver leaves neither half a line nor a lock.
    """

    def __init__(self, store: Store, key: str) -> None:
        """Raise ValueError or OSError for a file that is no journal."""
        self._store, self._key = store, key
        self._lines = (store.read_file(key) or b"").splitlines()
        parse = partial(parse_json, most=MOST_SMALL)
        self._logs: list[dict[str, Any]] = [open_json(line, parse) for line in self._lines]

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._logs += logs
        self._lines += [seal_json(log, separators=(",", ":")) for log in logs]
        self._store.write_file(self._key, b"\n".join(self._lines) + b"\n")
