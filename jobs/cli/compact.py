"""The command `compact`: write the models of a results folder into few files."""

import argparse

from jobs.cli.arguments import open_store


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("out", metavar="OUT")


def run(args: argparse.Namespace) -> int:
    """Write the models of a results folder into few large files, which are read in seconds."""
    from jobs.execution.folder import compact_folder, exclusive_lock
    from jobs.execution.presence import announced  # Ray takes a second to import

    store = open_store(args.out)
    with exclusive_lock(store), announced(store, "compact", print) as presence:
        compact_folder(store, print, presence.renew)
    return 0
