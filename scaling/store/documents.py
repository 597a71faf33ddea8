"""Plans and records of a results folder: sealed JSON files, each read by its schema."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scaling.errors import InputError
from scaling.store.digest import open_json, seal_json
from scaling.store.folder import Folder
from scaling.store.plan_schema import parse_edited_plan, parse_plan
from scaling.store.retries import one_line
from scaling.store.state import CorruptFile
from scaling.untrusted import MOST_SMALL, conform, parse_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter

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
            stem = Path(file).stem
            try:
                if (body := self._files.read(file)) is not None:
                    parse = parse_edited_plan if edited else partial(parse_plan, file)
                    plan = open_json(body, parse)
                    plans[plan["name"]] = plan
            except (ValueError, OSError) as error:
                path = self._files.path(file)
                damaged.append(CorruptFile(path, one_line(error), kind="studies", name=stem))
        return plans, tuple(damaged)

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a small JSON file with its digest, atomically."""
        self._files.write(name, seal_json(value, indent=1, allow_nan=False))

    def read_json(
        self, names: Iterable[str], schema: "TypeAdapter[T]"
    ) -> tuple[list[T], tuple[CorruptFile, ...]]:
        """Return what small JSON files hold, and the files that cannot be read or hold another."""
        found, corrupt = list[T](), list[CorruptFile]()
        for name in names:
            try:
                if (body := self._files.read(name)) is not None:
                    value = open_json(body, partial(parse_json, most=MOST_SMALL))
                    found.append(conform(value, schema))
            except (ValueError, OSError) as error:
                corrupt.append(CorruptFile(self._files.path(name), one_line(error)))
        return found, tuple(corrupt)
