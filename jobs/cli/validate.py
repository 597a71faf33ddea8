"""The command `validate`: backtests of extrapolations, by form and by ratio."""

import argparse
import json
from typing import Any

from jobs.cli.arguments import add_points, add_several, check_points, open_store
from jobs.cli.output import print_to_stderr, report_corrupt_files


def add_arguments(p: argparse.ArgumentParser) -> None:
    add_points(p)
    p.add_argument("--split", metavar="COL", help="fit where it is 1, test where 0; no windows")
    p.add_argument("--window", type=float, default=8.0, help="factor from first to last size")
    p.add_argument("--min-origin", type=float, default=2048.0, metavar="N")
    add_several(p, "--ratios", float, "R", help="how far ahead (2,4,8)")
    p.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Predict what is known already, and score it: by form and by how far ahead."""
    from analysis import api  # pandas takes a second to import

    check_points("validate", args)
    rolling = api.Rolling(
        window=args.window,
        min_origin=args.min_origin,
        ratios=tuple(args.ratios or (2.0, 4.0, 8.0)),
    )
    corrupt: Any = ()
    if args.points:
        scores = api.validate_points(
            args.points,
            x=args.x,
            y=args.y,
            se=args.se,
            group=args.group or (),
            split=args.split,
            rolling=rolling,
            progress=print_to_stderr,
        )
    else:
        results = api.load(open_store(args.out))
        scores, corrupt = api.validate_results(results, rolling, print_to_stderr), results.corrupt
    if args.json:
        print(json.dumps(scores, indent=1, allow_nan=False))
    else:
        _print_scores(scores)
    return report_corrupt_files(corrupt)


def _print_scores(scores: dict[str, Any]) -> None:
    print(
        f"{'form':16} {'ratio':>5} {'n':>5} {'rmsle':>8} {'bias':>8} {'coverage':>9}"
        f" {'(before)':>9} {'score':>7} {'k':>6}   nominal {scores['level']:.0%} intervals"
    )
    for row in scores["rows"]:
        ratio = "ahead" if row["ratio"] is None else f"{row['ratio']:g}"
        mark = " <- default" if row["form"] == scores["default"] else ""
        print(
            f"{row['form']:16} {ratio:>5} {row['n']:5} {row['rmsle']:8.4f} {row['bias']:+8.4f}"
            f" {row['coverage']:9.1%} {row['coverage_before']:9.1%} {row['interval_score']:7.3f}"
            f" {row['k']:6.3f}{mark}"
        )
    for note in scores["notes"]:
        print_to_stderr(note)
