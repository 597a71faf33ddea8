"""The command `tune`: the learning rate and other values of a recipe, by validation images."""

import argparse
import sys
from functools import partial

from jobs.cli.arguments import add_several, whole, whole_or_all
from jobs.cli.output import print_note, print_summary
from jobs.tuning.define import make_tuning
from jobs.tuning.search_space import TUNABLES, USUAL
from jobs.tuning.summary import summary_lines
from scaling import engines
from scaling.models.architecture import MODEL
from scaling.models.registry import MODELS
from scaling.recipes.registry import ALIASES, RECIPES
from scaling.store.store import Store


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--dataset", required=True, metavar="D")
    p.add_argument("--n-train", type=whole, required=True, metavar="N")
    p.add_argument("--n-test", type=whole_or_all, default="all", metavar="N|all")
    p.add_argument("--width", type=float, default=1.0, metavar="W")
    p.add_argument("--recipe", required=True, metavar="R", help=", ".join([*RECIPES, *ALIASES]))
    p.add_argument("--suggestions", type=whole, required=True, metavar="K", help="in all")
    p.add_argument("--out", required=True, metavar="DIR|URI")
    p.add_argument("--seeds", type=whole, default=3, metavar="K", help="models a suggestion (3)")
    p.add_argument("--model", choices=tuple(MODELS), default=MODEL)
    p.add_argument("--epochs", type=whole, metavar="E", help="fixed, in place of being tuned")
    p.add_argument("--batch-size", type=whole, metavar="B", help="in place of the recipe's")
    usual = f"what to tune: {', '.join(TUNABLES)}, or all that apply; else {', '.join(USUAL)}"
    add_several(p, "--space", str, "NAME", help=usual)
    p.add_argument("--name", help="of this tuning (tune-D-nN-wW-R)")
    p.add_argument("--address", default="auto", metavar="auto|local|HOST")
    p.add_argument("--cpus", type=whole, metavar="N", help="suggestions to train at once")
    p.add_argument("--device", choices=engines.DEVICES, default="cpu")
    p.add_argument("--engine", choices=engines.NAMES)
    p.add_argument("--shared-fs", action="store_true", help="every node sees the folder DIR")


def run(args: argparse.Namespace) -> int:
    """Tune a recipe's learning rate and other values at one cell, by validation images."""
    from analysis import api
    from jobs.execution.sweep import Options
    from jobs.tuning.run import tune

    tuning = make_tuning(
        dataset=args.dataset,
        n_train=args.n_train,
        n_test=args.n_test,
        width=args.width,
        recipe=args.recipe,
        model=args.model,
        epochs=args.epochs,
        batch_size=args.batch_size,
        seeds=range(args.seeds),
        suggestions=args.suggestions,
        space=args.space,
        name=args.name,
    )
    engines.choose(tuning.job.cell, args.engine, args.device)  # raises InputError before Ray starts
    store = Store(args.out)
    print_note(f"data set {tuning.job.cell.dataset}", tuning.job.note)
    options = Options(
        address=args.address,
        cpus=args.cpus,
        device=args.device,
        engine=args.engine,
        shared_fs=args.shared_fs,
    )
    plan, state = tune(tuning, store, options, partial(print, flush=True), args.command)
    status = print_summary(plan, state, args.out)
    found, paths = api.write_tuning(store, tuning.name)
    for line in summary_lines(found):
        print(line)
    print("\n".join(paths))
    if not found["best"]:
        print(f"scaling: {tuning.name}: no suggestion could be trained", file=sys.stderr)
    return status
