"""The command `ray`: Ray's own commands, kept to their user."""

import argparse
import os
import sys


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "words", metavar="WORDS", nargs=argparse.REMAINDER, help="Ray's, such as start --head"
    )


def run(args: argparse.Namespace) -> int:
    """Run a command of Ray, with a folder and a token that only you can read."""
    from jobs.execution.own_ray import command

    call = command(args.words)
    sys.stdout.flush()
    os.execv(call[0], call)  # signals and the exit status are Ray's own
