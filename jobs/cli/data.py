"""The command `data`: prepare, verify and list data sets."""

import argparse
import json
from pathlib import Path
from typing import Any

from scaling.data import datasets
from scaling.data.download import Unavailable
from scaling.errors import InputError


def add_arguments(p: argparse.ArgumentParser) -> None:
    names = ", ".join(datasets.NAMES)
    p.add_argument("names", nargs="*", metavar="NAME", help=f"{names} or FILE.npz")
    p.add_argument("--sheet", metavar="FILE.png", help="draw a contact sheet of each")
    p.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Prepare, verify and list data sets."""
    if args.sheet and not Path(args.sheet).absolute().parent.is_dir():  # before the work
        raise InputError(f"--sheet {args.sheet} cannot be written: there is no such folder")
    listed: list[dict[str, Any]] = []
    for name in args.names or datasets.NAMES:
        try:
            source, info = datasets.find(name)
            listed.append(
                {
                    "name": info.name,
                    "n_train": info.n_train,
                    "n_test": info.n_test,
                    "version": info.version,
                    "sha256": datasets.verify(source),
                    "note": info.note,
                    "warnings": list(info.warnings),
                    "source": source,
                }
            )
        except InputError as error:
            if args.names or not isinstance(error.__cause__, Unavailable):
                raise
            listed.append({"name": name, "missing": str(error.__cause__)})
    if args.sheet:
        from jobs.cli.contact_sheet import draw  # Matplotlib takes a second to import

        draw([row["source"] for row in listed if "source" in row], args.sheet)
    if args.json:
        print(json.dumps(listed, indent=1))
    for row in [] if args.json else listed:
        print(_line(row))
    return 0


def _line(row: dict[str, Any]) -> str:
    if "missing" in row:
        return f"{row['name']:8} is not available: {row['missing']}"
    endless = row["n_train"] > 10**7
    n_train = "any number of" if endless else f"{row['n_train']:,}"
    line = (
        f"{row['name']:8} {n_train} training and {row['n_test']:,} test images,"
        f" sha256 {row['sha256'][:12]}, {row['note']}"
    )
    return "\n".join([line, *(f"{'':8} warning: {warning}" for warning in row["warnings"])])
