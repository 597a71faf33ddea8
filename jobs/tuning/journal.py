"""The file of a tuning's Optuna study, beside the results, in a folder or a bucket."""

import json
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from scaling.store.store import Store


class Journal(BaseJournalBackend):
    """Keep Optuna's journal in a results folder or at a URI, in the format of its own files.

    Each entry writes the whole file anew: a killed driver leaves neither half a line nor a lock.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        lines = (store.read_file(key) or b"").splitlines()
        self._logs: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._logs += logs
        lines = (json.dumps(log, separators=(",", ":")) + "\n" for log in self._logs)
        self._store.write_file(self._key, "".join(lines).encode())
