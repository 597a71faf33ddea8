"""The command `scaling`: arguments in, one call, text out.

Exit status: 0 done; 1 some models failed, the others are stored; 2 bad usage or input, one line.
"""

import os
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout

from jobs.cli import (
    bench,
    compact,
    data,
    fit,
    predict,
    report,
    status,
    studies,
    submit,
    sweep,
    train,
    tune,
    validate,
    verify,
)
from jobs.cli.arguments import HELP, Command, Parser
from jobs.cli.terminal import Visible, check_words, printable
from jobs.execution.shelter import take_shelter
from scaling.check import command as check
from scaling.errors import InputError
from scaling.untrusted import without_secrets

COMMANDS = (
    Command(name="data", add_arguments=data.add_arguments, run=data.run),
    Command(name="train", add_arguments=train.add_arguments, run=train.run),
    Command(name="studies", add_arguments=studies.add_arguments, run=studies.run),
    Command(name="sweep", add_arguments=sweep.add_arguments, run=sweep.run),
    Command(name="submit", add_arguments=submit.add_arguments, run=submit.run),
    Command(name="tune", add_arguments=tune.add_arguments, run=tune.run),
    Command(name="status", add_arguments=status.add_arguments, run=status.run),
    Command(name="fit", add_arguments=fit.add_arguments, run=fit.run),
    Command(name="validate", add_arguments=validate.add_arguments, run=validate.run),
    Command(name="predict", add_arguments=predict.add_arguments, run=predict.run),
    Command(name="report", add_arguments=report.add_arguments, run=report.run),
    Command(name="compact", add_arguments=compact.add_arguments, run=compact.run),
    Command(name="verify", add_arguments=verify.add_arguments, run=verify.run),
    Command(name="bench", add_arguments=bench.add_arguments, run=bench.run),
    Command(name="check", add_arguments=check.add_arguments, run=check.check),
)


def build_parser() -> Parser:
    """Return the parser of all commands; each sets `run` to its function."""
    parser = Parser(
        prog="scaling",
        description="Train LeCun's 1989 network over data-set size, width and 33 years of tricks.",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        added = subparsers.add_parser(command.name, help=command.help, description=command.help)
        command.add_arguments(added)
        for action in added._actions:
            action.help = action.help or HELP.get(action.dest)
        added.set_defaults(run=command.run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command. A user's mistake is one line on stderr, never a traceback."""
    printable(sys.stdout, sys.stderr)
    with redirect_stdout(Visible(sys.stdout)), redirect_stderr(Visible(sys.stderr)):
        return _run(argv)


def _run(argv: list[str] | None) -> int:
    words = sys.argv[1:] if argv is None else argv
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
    except KeyboardInterrupt:
        print(
            "scaling: stopped; stored results stay, and the same command continues", file=sys.stderr
        )
        return 130
    return exit_status


def entry() -> None:
    sys.exit(main())
