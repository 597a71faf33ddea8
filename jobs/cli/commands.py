"""The commands of `scaling`, and the parser of their arguments."""

from jobs.cli import (
    bench,
    compact,
    data,
    fit,
    own_ray,
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
from scaling.check import command as check

COMMANDS = (
    Command(name="data", add_arguments=data.add_arguments, run=data.run),
    Command(name="train", add_arguments=train.add_arguments, run=train.run),
    Command(name="studies", add_arguments=studies.add_arguments, run=studies.run),
    Command(name="sweep", add_arguments=sweep.add_arguments, run=sweep.run),
    Command(name="submit", add_arguments=submit.add_arguments, run=submit.run),
    Command(name="ray", add_arguments=own_ray.add_arguments, run=own_ray.run),
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
