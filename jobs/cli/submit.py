"""The command `submit`: a sweep as a job of a Ray cluster."""

import argparse

from jobs.cli.arguments import add_axes, add_training_options, study_from_args, words_for_sweep


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("study", metavar="STUDY", help="a name, or a Python file with a STUDY in it")
    p.add_argument("--out", metavar="URI", help="results/STUDY where the head is this machine")
    p.add_argument("--address", metavar="URL", help="of the dashboard (http://127.0.0.1:8265)")
    p.add_argument("--wait", action="store_true", help="follow the log; the job's exit status")
    add_training_options(p)
    add_axes(p)


def run(args: argparse.Namespace) -> int:
    """Run a study on a Ray cluster as a job, the same as `ray job submit`."""
    study = study_from_args(args)

    from jobs.submission.submit import submit  # Ray takes a second to import

    return submit(
        study,
        [args.study, *words_for_sweep(args)],
        out=args.out,
        address=args.address,
        wait=args.wait,
    )
