"""The command `verify`: check stored results, and train a sample of them again."""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jobs.cli.arguments import add_own_data, open_store, seed
from jobs.verifying.retrain import Retrainer
from jobs.verifying.sample import sample
from scaling import engines
from scaling.errors import InputError
from scaling.progress import duration
from scaling.verifying.again import Lot, make_lots, training_obstacle
from scaling.verifying.folder import Folder, check_reading, read_folder
from scaling.verifying.ledger import CHECKS, EQUAL, PAIRED, SMALL, Ledger
from scaling.verifying.small import BEYOND, WITHIN, WORST, compare_small
from scaling.verifying.stored import check_stored

if TYPE_CHECKING:
    from jobs.verifying.paired_test import Decision


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("out", metavar="OUT")
    p.add_argument("--sample", type=seed, metavar="N", help="models to train again (a minute's)")
    p.add_argument("--seed", type=seed, default=0, metavar="S", help="chooses which (0)")
    p.add_argument("--by", choices=("reference",), help="another engine than the stored one")
    p.add_argument("--json", action="store_true")
    add_own_data(p)


def run(args: argparse.Namespace) -> int:
    """Check stored results against themselves, and train a sample of the models again."""
    from jobs.verifying.paired_test import decide  # pandas and scipy take a second to import

    ledger = Ledger()
    store = open_store(args.out)
    folder = read_folder(store, ledger)
    if not folder.models and not ledger.findings:
        raise InputError(
            f"{args.out} holds no model: `scaling sweep STUDY --out {args.out}` trains some"
        )
    planned = check_stored(folder, ledger, args.data)
    check_reading(store, ledger)
    retrainer = Retrainer(by=args.by, ledger=ledger)
    able = _trainable(make_lots(folder.models, planned, alone=args.by is not None), retrainer)
    if args.sample == 0:
        ledger.unverified.clear()
    chosen = sample(able, retrainer.seconds, args.sample, args.seed)
    n_chosen = sum(len(lot.models) for lot in chosen)
    if not args.json:
        print(
            f"{args.out}: {len(folder.models):,} models, of which {n_chosen:,} are trained again"
            f"{f' by {args.by}' if args.by else ''}, chosen by --seed {args.seed};"
            f" predicted {duration(sum(map(retrainer.seconds, chosen)))}",
            flush=True,
        )
    near_enough = _check_small(chosen, ledger) if args.by else 0
    undecided = retrainer.train(chosen) if chosen else []
    decisions = decide(undecided, able, retrainer, bounded=args.sample is None)
    for decision in decisions:
        _record(decision, ledger)
    confirmed = near_enough + len(retrainer.equal)
    confirmed += sum(len(d.models) for d in decisions if d.holds)
    if args.sample != 0 and not confirmed and not ledger.findings and not ledger.unverified:
        page = ledger.about(EQUAL, None, args.out)
        page.fail("models that training again confirms", 0, "at least 1")
    if args.json:
        print(json.dumps(_as_json(args, folder, retrainer, decisions), indent=1, allow_nan=False))
    else:
        _print_results(ledger, decisions)
    return 1 if ledger.findings or ledger.unverified else 0


def _trainable(found: Sequence[Lot], retrainer: Retrainer) -> list[Lot]:
    """Return the lots that can be trained here; note the others."""
    why: dict[tuple[str, str], str | None] = {}
    able, unable = [], dict[str, int]()
    for lot in found:
        key = lot.cell.cell_id, retrainer.engine(lot)
        if key not in why:
            why[key] = training_obstacle(lot, key[1])
        if reason := why[key]:
            if lot.engine in engines.NAMES and engines.unsupported_reason(
                lot.engine, lot.cell, "cpu"
            ):
                claim = f"its rows name the engine {lot.engine}, which cannot train its cell"
                retrainer.ledger.unverified |= {model.run_id: claim for model in lot.models}
            unable[reason] = unable.get(reason, 0) + len(lot.models)
        else:
            able.append(lot)
    for reason, count in unable.items():
        retrainer.ledger.note(f"{count} models cannot be trained again here: {reason}")
    return able


def _check_small(chosen: Sequence[Lot], ledger: Ledger) -> int:
    """Compare the engines of the chosen models with the reference, once for each cell."""
    cells = {(lot.engine, lot.cell.cell_id): lot for lot in chosen}
    near_enough = 0
    for (engine, cell_id), lot in cells.items():
        planned, model = lot.planned[0], lot.models[0]
        if why := training_obstacle(lot, engine):
            ledger.note(f"{cell_id} was not compared weight by weight: {why}")
            continue
        ledger.count(SMALL)
        found = compare_small(planned.cell, planned.member, planned.source, engine)
        near_enough += found.holds
        if not found.holds:
            ledger.about(SMALL, model.run_id, model.metrics_file).fail(
                f"{engine} beside the reference after two epochs of few images",
                found.error
                or f"{found.worst:.1e} apart in {found.weight},"
                f" {found.beyond:.2%} of the weights more than {WITHIN:g}",
                f"at most {WORST:g}, and at most {BEYOND:.1%} of them more than {WITHIN:g}",
            )
    return near_enough


def _record(decision: "Decision", ledger: Ledger) -> None:
    """Record the decision of the paired test as a finding or a note."""
    ledger.count(PAIRED, len(decision.models))
    if decision.fails:
        for run_id, file in zip(decision.models, decision.files, strict=True):
            page = ledger.about(PAIRED, run_id, file)
            page.fail("misses of its cell, trained again", str(decision), "no change")
    elif decision.unknown:
        ledger.note(str(decision))
        for run_id in decision.models:
            ledger.unverified[run_id] = f"{decision.verdict} ({'; '.join(decision.reasons)})"


def _print_results(ledger: Ledger, decisions: Sequence["Decision"]) -> None:
    print(f"\n{'check':42} {'checked':>9} {'fail':>6}")
    for check in CHECKS:
        if check in ledger.checked or ledger.failed(check):
            print(f"{check:42} {ledger.checked.get(check, 0):9,} {ledger.failed(check):6,}")
    print()
    for decision in decisions:
        if decision.holds:
            print(f"paired test: {decision}")
    for note in ledger.notes:
        print(f"note: {note}")
    for finding in ledger.findings:
        print(f"does not hold: {finding}")
    unknown = len(ledger.unverified)
    for run_id, why in ledger.unverified.items():
        print(f"could not be verified: {run_id}: {why}")
    if ledger.findings:
        count = len(ledger.findings)
        more = f"; {_count(unknown)} could not be verified" if unknown else ""
        print(f"{count} thing{' does' if count == 1 else 's do'} not hold{more}")
    elif unknown:
        named = ", ".join(ledger.unverified)
        print(f"{_count(unknown)} could not be verified: {named}; all else holds")
    else:
        print("all that was checked holds")


def _count(models: int) -> str:
    return f"{models:,} model{'' if models == 1 else 's'}"


def _as_json(
    args: argparse.Namespace,
    folder: Folder,
    retrainer: Retrainer,
    decisions: Sequence["Decision"],
) -> dict[str, Any]:
    ledger = retrainer.ledger
    return {
        "out": args.out,
        "holds": not ledger.findings and not ledger.unverified,
        "models": len(folder.models),
        "seed": args.seed,
        "by": args.by,
        "checks": [
            {"check": c, "checked": ledger.checked.get(c, 0), "failed": ledger.failed(c)}
            for c in CHECKS
        ],
        "equal": sorted(again.model.run_id for again in retrainer.equal),
        "paired": [
            {
                "engine": d.engine,
                "cells": d.cells,
                "models": d.models,
                "reasons": d.reasons,
                **{k: _finite(v) for k, v in asdict(d.test).items()},
                "p_holm": d.p,
                "verdict": d.verdict,
            }
            for d in decisions
        ],
        "findings": [asdict(finding) for finding in ledger.findings],
        "unverified": ledger.unverified,
        "notes": ledger.notes,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
