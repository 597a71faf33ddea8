"""The command `report`: the report of a results folder, or the comparison of two."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from jobs.cli.arguments import add_own_data, open_store
from jobs.cli.output import report_corrupt_files
from scaling.data import datasets
from scaling.data.download import Unavailable
from scaling.data.selection import Array, test_order
from scaling.errors import InputError


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("out", metavar="OUT")
    p.add_argument(
        "out2", metavar="OUT2", nargs="?", help="compare this with OUT: OUT/comparison.html"
    )
    p.add_argument("--html", metavar="FILE", help="where the page goes (OUT/report.html)")
    add_own_data(p)


def run(args: argparse.Namespace) -> int:
    """Write report.html, report.md and numbers.json of a results folder, or compare two."""
    from analysis import api  # pandas takes a second to import

    stores = [open_store(out) for out in (args.out, args.out2) if out is not None]
    output = api.find_output(stores[0], args.html)  # before the work
    if output.unwritable:
        print(
            f"scaling: {stores[0].out} cannot be written ({output.unwritable}):"
            f" only {args.html} is",
            file=sys.stderr,
        )
    results, *others = map(api.load, stores)
    for other in others:
        for path in api.write_comparison(results, other, html=args.html):
            print(path)
        return max(report_corrupt_files(results.corrupt), report_corrupt_files(other.corrupt))
    for path in api.write_report(
        results, html=args.html, test_images=partial(_test_images, args.data)
    ):
        print(path)
    return report_corrupt_files(results.corrupt)


def _test_images(
    given: Sequence[str], source: str, test_set_id: str, n_test: int
) -> tuple[Array, Array] | None:
    """Return the images and labels of a test set; None where they are missing or have changed."""
    try:
        loaded = datasets.load(datasets.named(source, given), 1)
    except (InputError, Unavailable):
        return None
    if loaded.info.test_set_id(n_test) != test_set_id:
        return None
    chosen = test_order(loaded.info, n_test)
    return loaded.x_test[chosen], loaded.y_test[chosen]
