"""The commands that fit: scaling curves, and whether their extrapolations hold."""

import argparse
import json
import sys
from typing import Any

from jobs.cli.inspecting import existing
from jobs.cli.training import name_torn, overridden
from scaling.data import datasets
from scaling.errors import InputError
from scaling.study import plan, resolve


def fit(a: argparse.Namespace) -> int:
    """Fit scaling curves with intervals, to a results folder or to anybody's points."""
    from analysis import api

    _one_source("fit", a)
    if a.points:
        rows = api.fit_points(
            a.points,
            x=a.x,
            y=a.y,
            x2=a.x2,
            se=a.se,
            group=a.group or (),
            form=a.form,
            objective=a.objective,
            delta=a.delta,
            ceiling=a.ceiling,
        )
        return _print_fits(rows, as_json=a.json)
    results = api.load(existing(a.out))
    _print_fits(api.fit_results(results, form=a.form), as_json=a.json)
    return name_torn(results.corrupt)


def validate(a: argparse.Namespace) -> int:
    """Predict what is known already, and score it: by form and by how far ahead."""
    from analysis import api

    _one_source("validate", a)
    rolling = api.Rolling(
        window=a.window, min_origin=a.min_origin, ratios=tuple(a.ratios or (2.0, 4.0, 8.0))
    )
    torn: Any = ()
    if a.points:
        scores = api.validate_points(
            a.points,
            x=a.x,
            y=a.y,
            se=a.se,
            group=a.group or (),
            split=a.split,
            rolling=rolling,
            progress=_say,
        )
    else:
        results = api.load(existing(a.out))
        scores, torn = api.validate_results(results, rolling, _say), results.corrupt
    if a.json:
        print(json.dumps(scores, indent=1, allow_nan=False))
    else:
        _print_scores(scores)
    return name_torn(torn)


def predict(a: argparse.Namespace) -> int:
    """Write forecasts with intervals for cells that are not trained yet, into OUT/forecasts."""
    from analysis import api

    study = overridden(a)
    jobs = resolve(study, datasets.find)
    results = api.load(existing(a.out))
    planned = plan(study, jobs, [0.0] * len(jobs))
    rows = api.predict_cells(results, planned, wanted=a.cells, fit_to=a.fit_to)
    if a.json:
        print(json.dumps({"forecasts": rows}, indent=1, allow_nan=False))
    for row in [] if a.json else rows:
        said = row["reason"] or (
            f"{row['error']:.3%} ({row['level']:.0%}: {row['low']:.3%} to {row['high']:.3%}),"
            f" from {row['fitted_n_train'][0]:,} to {row['fitted_n_train'][-1]:,}"
        )
        print(f"{row['cell_id']}: {said}")
    made = sum(row["reason"] is None for row in rows)
    print(f"{made} forecasts written to {results.store.address('forecasts')}", file=sys.stderr)
    return name_torn(results.corrupt)


def _one_source(command: str, a: argparse.Namespace) -> None:
    if bool(a.out) == bool(a.points):
        raise InputError(f"{command} needs a results folder OUT, or --points FILE with --x and --y")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


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
        _say(note)


def _print_fits(rows: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"fits": rows}, indent=1, allow_nan=False))
        return 0
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
    return 0


def _number(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:.4g}"
