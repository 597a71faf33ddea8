"""The command `scaling`: signals and errors become one line and an exit status.

Exit status: 0 done; 1 some models failed, the others are stored; 2 bad usage or input, one line;
130 or 143 stopped by SIGINT or SIGTERM. The commands are imported when one runs: that takes a
second, in which a signal is told like any other.
"""

import os
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout

from jobs.execution import stopping


def main(argv: list[str] | None = None) -> int:
    """Run one command. A user's mistake is one line on stderr, never a traceback."""
    stopping.tell(None)
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        print(f"scaling: {stopping.last_line()}", file=sys.stderr)
        return stopping.status()


def _run(words: list[str]) -> int:
    from jobs.cli.output import print_to_stderr
    from jobs.cli.terminal import Visible, printable
    from scaling.store import retries

    retries.on_retry = print_to_stderr
    printable(sys.stdout, sys.stderr)
    with redirect_stdout(Visible(sys.stdout)), redirect_stderr(Visible(sys.stderr)):
        return _run_visibly(words)


def _run_visibly(words: list[str]) -> int:
    from jobs.cli.commands import build_parser
    from jobs.cli.terminal import check_words
    from jobs.execution.shelter import take_shelter
    from scaling.errors import InputError
    from scaling.untrusted import without_secrets

    args = build_parser().parse_args(words)
    args.command = without_secrets(shlex.join(["scaling", *words]))  # for a plan
    try:
        check_words(words)
        take_shelter()
        exit_status: int = args.run(args)
        sys.stdout.flush()
    except InputError as error:
        print(f"scaling: {without_secrets(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `scaling ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return exit_status


def entry() -> None:
    """Run the command of this process, and end it."""
    stopping.install()
    stopping.leave(main())
