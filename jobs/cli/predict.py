"""The command `predict`: forecasts for cells that are not trained yet."""

import argparse
import json
import sys

from jobs.cli.arguments import add_axes, open_store, study_from_args, whole
from jobs.cli.output import report_corrupt_files
from scaling.data import datasets
from scaling.study import plan, resolve


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("out", metavar="OUT", help="a results folder with smaller sizes in it")
    p.add_argument("cells", metavar="CELL", nargs="*", help="cell ids or patterns; else all")
    p.add_argument("--study", required=True, metavar="STUDY", help="a name, or a Python file")
    p.add_argument("--fit-to", type=whole, metavar="N", help="use sizes up to N only")
    p.add_argument("--json", action="store_true")
    add_axes(p)


def run(args: argparse.Namespace) -> int:
    """Write forecasts with intervals for cells that are not trained yet, into OUT/forecasts."""
    from analysis import api  # pandas takes a second to import

    study = study_from_args(args)
    jobs = resolve(study, datasets.find)
    results = api.load(open_store(args.out))
    planned = plan(study, jobs, [0.0] * len(jobs))
    rows = api.predict_cells(results, planned, wanted=args.cells, fit_to=args.fit_to)
    if args.json:
        print(json.dumps({"forecasts": rows}, indent=1, allow_nan=False))
    for row in [] if args.json else rows:
        text = row["reason"] or (
            f"{row['error']:.3%} ({row['level']:.0%}: {row['low']:.3%} to {row['high']:.3%}),"
            f" from {row['fitted_n_train'][0]:,} to {row['fitted_n_train'][-1]:,}"
        )
        print(f"{row['cell_id']}: {text}")
    made = sum(row["reason"] is None for row in rows)
    print(f"{made} forecasts written to {results.store.address('forecasts')}", file=sys.stderr)
    return report_corrupt_files(results.corrupt)
