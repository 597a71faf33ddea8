"""Write a report into its results folder, and its page to a file of the user's choice."""

import os
import stat
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scaling.errors import InputError
from scaling.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Write the files of a report; `unwritable` is the reason why only the page can be written."""

    store: Store
    html: Path | None
    unwritable: str | None

    def write(self, page: tuple[str, str], files: Iterable[tuple[str, bytes]]) -> None:
        """Write the page, by its name in the results folder, and the other files.

        Raises InputError where writing fails, though `find_output` found it possible.
        """
        name, text = page
        try:
            if self.html is not None:
                _replace(self.html, text.encode())
            if self.unwritable is not None:
                return
            for each, body in files:
                self.store.write_file(each, body)
            if self.html is None:
                self.store.write_file(name, text.encode())
        except OSError as error:
            raise InputError(f"--html {self.html} cannot be written ({error})") from error


def find_output(store: Store, html: str | Path | None) -> Output:
    """Return the places where a report of these results can be written, before any work.

    A results folder that cannot be written is no obstacle to a page elsewhere.
    Raises InputError where the page cannot be written.
    """
    if html is not None:
        _check(Path(html), str(html))
        _check_beside(Path(html), store)
    unwritable = store.unwritable_reason("studies")  # the folder of its plans
    if unwritable is not None and html is None:
        raise InputError(
            f"the report cannot be written to {store.out} ({unwritable}): make that folder"
            " writable, or name a file elsewhere with --html FILE"
        )
    return Output(store=store, html=None if html is None else Path(html), unwritable=unwritable)


def _check(path: Path, given: str) -> None:
    """Raise InputError unless a file can be written there."""
    wanted = "expected a file such as report.html in a folder that is there and writable"
    try:
        path = path if path.exists() else path.resolve()  # a link that leads nowhere yet stays one
        if path.is_dir():
            raise InputError(f"--html '{given}' cannot be written: it is a folder; {wanted}")
        if not path.parent.is_dir():
            raise InputError(
                f"--html {given} cannot be written: there is no folder {path.parent}; {wanted}"
            )
        if path.is_file():
            path.open("ab").close()
        elif not path.exists():
            path.touch()
            path.unlink()
    except (OSError, RuntimeError, ValueError) as error:  # also links that lead to each other
        raise InputError(f"--html {given} cannot be written ({error}); {wanted}") from error


def _check_beside(path: Path, store: Store) -> None:
    """Raise InputError where the page would replace results, or other files of the report."""
    if not store.is_local:
        return
    whole, root = path.resolve(), store.root.resolve()
    if path.is_symlink() and root in (path.parent.resolve(), *path.parent.resolve().parents):
        raise InputError(
            f"--html {path} is a link among the results of {store.out}: name another file, or"
            " remove the link"
        )
    if root in whole.parents and (whole.parent != root or whole.suffix != ".html"):
        raise InputError(
            f"--html {path} lies among the results of {store.out}: name a file outside that folder,"
            " or one that ends with .html directly in it"
        )


def _replace(path: Path, body: bytes) -> None:
    """Replace a file as a whole or not at all; write directly to a pipe or a device."""
    special = path.exists() and not stat.S_ISREG(path.stat().st_mode)
    path = path if special else path.resolve()  # a link stays one
    if special or not os.access(path.parent, os.W_OK):
        path.write_bytes(body)
        return
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(body)
        if path.exists():
            part.chmod(stat.S_IMODE(path.stat().st_mode))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
