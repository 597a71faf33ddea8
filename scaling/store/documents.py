"""Plans and records of a results folder: sealed JSON files, each read by its schema."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from pydantic import TypeAdapter

from scaling.errors import InputError
from scaling.store.digest import open_json, seal_json
from scaling.store.folder import Folder
from scaling.store.plan_schema import parse_edited_plan, parse_plan
from scaling.store.record_schema import BENCH, RECORDS, SPEEDS
from scaling.store.state import CorruptFile
from scaling.untrusted import MOST_SMALL, conform, parse_json

T = TypeVar("T")
READABLE = 1000  # assumed: cells of a plan that a person reads


def now() -> datetime:
    return datetime.now(UTC)


class Documents(Folder):
    """The plans and the records of a results folder."""

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        # json indents in Python, at 40 us a cell; nobody reads a plan of thousands of cells.
        indent = 1 if len(plan["cells"]) <= READABLE else None
        body = seal_json({**plan, "written_at": now().isoformat()}, indent=indent)
        self._files.write(f"studies/{plan['name']}.json", body)

    def read_plans(self, *, edited: bool = False) -> dict[str, dict[str, Any]]:
        """Return the plan of each study by name, of `edited` ones whatever else they hold.

        Raises InputError for a file that is no plan.
        """
        plans, damaged = self.find_plans(edited=edited)
        for file in damaged:
            raise InputError(
                f"{file.path} is not a study's plan ({file.error}):"
                " run `scaling sweep` again and it is written anew, or delete it"
            )
        return plans

    def find_plans(
        self, *, edited: bool = False
    ) -> tuple[dict[str, dict[str, Any]], tuple[CorruptFile, ...]]:
        """Return the plan of each study by name, and the files that are no plans."""
        plans, damaged = {}, []
        for file in self._files.names("studies", ".json"):
            parse = parse_edited_plan if edited else partial(parse_plan, file)
            try:
                plan = self._files.read_sound(file, partial(open_json, parse=parse))
                if plan is not None:
                    plans[plan["name"]] = plan
            except (ValueError, OSError) as error:
                damaged.append(self._corrupt(file, error))
        return plans, tuple(damaged)

    def write_json(self, name: str, value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Write a small JSON file with its digest, atomically."""
        self._files.write(name, seal_json(value, indent=1, allow_nan=False))

    def read_json(
        self, names: Iterable[str], schema: TypeAdapter[T]
    ) -> tuple[list[T], tuple[CorruptFile, ...]]:
        """Return what small JSON files hold, and the files that cannot be read or hold another."""
        found, corrupt = list[T](), list[CorruptFile]()

        def parse(body: bytes) -> tuple[T]:  # as the value may be null
            return (conform(open_json(body, partial(parse_json, most=MOST_SMALL)), schema),)

        for name in names:
            try:
                found += self._files.read_sound(name, parse) or ()
            except (ValueError, OSError) as error:
                corrupt.append(self._corrupt(name, error))
        return found, tuple(corrupt)

    def read_records(self) -> tuple[dict[str, list[Any]], tuple[CorruptFile, ...]]:
        """Return the records by their folders, a benchmark's under "", and those that are none."""
        found, corrupt = dict[str, list[Any]](), list[CorruptFile]()
        for folder, schema in {**RECORDS, "": SPEEDS}.items():
            names = self._files.names(folder, ".json") if folder else self._files.existing([BENCH])
            found[folder], unsound = self.read_json(names, schema)
            corrupt += unsound
        return found, tuple(corrupt)
