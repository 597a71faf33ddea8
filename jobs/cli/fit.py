"""The command `fit`: scaling curves with intervals."""

import argparse
import json
from typing import Any

from jobs.cli.arguments import add_points, check_points, open_store
from jobs.cli.output import report_corrupt_files


def add_arguments(p: argparse.ArgumentParser) -> None:
    add_points(p)
    p.add_argument("--x2", metavar="COL", help="a second size, for a joint fit")
    p.add_argument("--form", metavar="F")
    p.add_argument("--objective", choices=("huber", "lad", "ls"), help="of the log residuals")
    p.add_argument("--delta", type=float, default=1e-3, help="of Huber's loss, in log error")
    p.add_argument("--ceiling", type=float, metavar="C", help="the error of guessing (0.9)")
    p.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Fit scaling curves with intervals to a results folder or to your own points."""
    from analysis import api  # pandas takes a second to import

    check_points("fit", args)
    if args.points:
        rows = api.fit_points(
            args.points,
            x=args.x,
            y=args.y,
            x2=args.x2,
            se=args.se,
            group=args.group or (),
            form=args.form,
            objective=args.objective,
            delta=args.delta,
            ceiling=args.ceiling,
        )
        _print_fits(rows, as_json=args.json)
        return 0
    results = api.load(open_store(args.out))
    _print_fits(api.fit_results(results, form=args.form), as_json=args.json)
    return report_corrupt_files(results.corrupt)


def _print_fits(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"fits": rows}, indent=1, allow_nan=False))
        return
    for row in rows:
        group = " ".join(f"{key}={value}" for key, value in row["group"].items()) or "all points"
        print(f"{group}: {row['form']} on {row['n_points']} points, {row['status']}")
        for name, value in row["params"].items() if row["status"] != "failed" else ():
            low, high = row["intervals"][name]
            ends = f"{_number(low)} to {_number(high)}"
            if not row["replicates"]:
                ends = "unknown, with no point to spare"
            if name in row["upper_bounds"]:
                ends = f"at most {_number(high)}: its interval touches 0"
            print(f"  {name} = {_number(value)}  ({row['level']:.0%}: {ends})")
        for note in row.get("notes", ()):
            print(f"  {note}")
    if not rows:
        print("nothing to fit: a curve needs at least three sizes")


def _number(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:.4g}"
