"""The command `sweep`: train the models of a study on Ray."""

import argparse
from functools import partial
from itertools import product

from jobs.cli.arguments import add_axes, add_training_options, study_from_args
from jobs.cli.output import print_note, print_summary, question_lines
from jobs.planning.batches import Slots
from jobs.planning.cluster_forecast import Price, parse_cluster, parse_price
from jobs.planning.cost import devices_of
from jobs.planning.dry_run import dry_run, on_cluster
from jobs.planning.older_rows import count_older
from scaling import engines
from scaling.data import datasets
from scaling.errors import InputError
from scaling.store.store import Store
from scaling.study import plan, resolve


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("study", metavar="STUDY", help="a name, or a Python file with a STUDY in it")
    p.add_argument("--out", metavar="DIR|URI")
    p.add_argument("--address", default="auto", metavar="auto|local|HOST")
    p.add_argument("--dry-run", action="store_true", help="print cells and predicted cost only")
    p.add_argument("--cluster", metavar="'N cpu, M gpu'", help="of a dry run: its time on these")
    p.add_argument("--price", metavar="'P cpu, Q gpu'", help="of a core hour and of a GPU hour")
    add_training_options(p)
    add_axes(p)


def run(args: argparse.Namespace) -> int:
    """Train the models of a study on Ray, except those that are stored already."""
    study = study_from_args(args)
    if not (args.out or args.dry_run):
        raise InputError("sweep needs --out DIR or URI, where the results go (or --dry-run)")
    cluster, price = _cluster_and_price(args)
    jobs = resolve(study, datasets.find)
    for name, note in dict.fromkeys((job.cell.dataset, job.note) for job in jobs):
        print_note(f"data set {name}", note)
    for line in question_lines(study.question, study.notes):
        print(f"{study.name}: {line}", flush=True)
    for job, device in product(jobs, devices_of(args.device)):
        engines.choose(job.cell, args.engine, device)  # raises InputError before Ray starts
    store = Store(args.out) if args.out else None
    if args.dry_run:
        state = store.state() if store else None
        left = dry_run(study, jobs, state, engine=args.engine, device=args.device, cpus=args.cpus)
        if store and state and (older := count_older(jobs, store, state)):
            print(
                f"{older} older models of these cells lie in {args.out}: the version of their data,"
                " recipe or network has changed since, so they stay and are trained again"
            )
        if cluster:
            print("\n".join(on_cluster(left, cluster, price, args.engine, args.device)))
        return 0
    assert store is not None

    from jobs.execution.sweep import Options  # Ray takes a second to import: only when it is used
    from jobs.execution.sweep import sweep as sweep_on_ray

    options = Options(
        address=args.address,
        cpus=args.cpus,
        device=args.device,
        engine=args.engine,
        retry_failed=args.retry_failed,
        shared_fs=args.shared_fs,
        track=args.track,
    )
    state = sweep_on_ray(study, jobs, store, options, partial(print, flush=True), args.command)
    return print_summary(plan(study, jobs, [0.0] * len(jobs)), state, args.out)


def _cluster_and_price(args: argparse.Namespace) -> tuple[Slots | None, Price | None]:
    """Return --cluster and --price. Raises InputError where another option is missing."""
    if args.cluster and not args.dry_run:
        raise InputError("--cluster is for planning only: say --dry-run as well")
    if args.price and not args.cluster:
        raise InputError("--price is of a cluster: say --cluster '64 cpu, 8 gpu' as well")
    return (
        args.cluster and parse_cluster(args.cluster),
        args.price and parse_price(args.price),
    )
