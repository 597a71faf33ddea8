"""The reference of all commands, made from the argument parser.

`python -m jobs.cli.document > docs/commands.md` writes it anew.
"""

import argparse
import sys
from collections.abc import Iterator

from jobs.cli.commands import build_parser

REWRITE = "python -m jobs.cli.document > docs/commands.md"  # from the root of the repository

HEAD = f"""\
# Commands

The argument parser is the source of this page: edit no line here. This command writes it anew:

    {REWRITE}

An option with `...` takes several values: `--seeds 0 1`, `--seeds 0,1` and `--seeds 0 --seeds 1`
are the same. OUT is a results folder or a URI, such as `s3://bucket/path`.

| exit status | meaning |
|---:|---|
| 0 | done |
| 1 | some models failed, or a check does not hold; all other results are stored |
| 2 | bad usage or input; one line on stderr says what was got, what was expected and what to do |
| 130, 143 | stopped by Ctrl-C or SIGTERM; the same command continues |
"""


def describe(parser: argparse.ArgumentParser) -> str:
    """Return a page of Markdown: an overview, then a part for each subcommand."""
    commands = list(_subcommands(parser))
    overview = [
        f"| [`{command.prog}`](#{_anchor(command)}) | {_cell(command.description or '')} |"
        for command in commands
    ]
    parts = ["\n".join([HEAD, "| command | it does |", "|---|---|", *overview])]
    parts += [_part(command) for command in commands]
    return "\n\n".join(parts) + "\n"


def _subcommands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


def _part(command: argparse.ArgumentParser) -> str:
    actions = [a for a in command._actions if a.dest != "help" and a.help != argparse.SUPPRESS]
    needed = [_call(a) if _is_needed(a) else f"[{_call(a)}]" for a in actions if _is_shown(a)]
    usage = " ".join([command.prog, *needed, "[options]"])
    rows = [_row(action, command) for action in actions]
    heading = [f"## {command.prog}", "", command.description or "", "", f"    {usage}", ""]
    return "\n".join([*heading, "| argument | meaning | default |", "|---|---|---|", *rows])


def _row(action: argparse.Action, command: argparse.ArgumentParser) -> str:
    return f"| {_code(_call(action))} | {_cell(_meaning(action, command))} | {_default(action)} |"


def _is_needed(action: argparse.Action) -> bool:
    return action.required and action.nargs not in ("*", "?")


def _is_shown(action: argparse.Action) -> bool:
    """Return whether the usage line shows an argument by itself, and not under [options]."""
    return not action.option_strings or action.required


def _call(action: argparse.Action) -> str:
    """Return an argument as it is typed: `--n-train N ...`, `--device cpu|cuda`, `OUT`."""
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else None)
    if value is None and action.nargs != 0:
        value = action.dest.upper()
    if action.nargs in ("+", "*"):
        value = f"{value} ..."
    return " ".join(filter(None, [", ".join(action.option_strings), value and str(value)]))


def _meaning(action: argparse.Action, command: argparse.ArgumentParser) -> str:
    return (action.help or "") % {**vars(action), "prog": command.prog}


def _default(action: argparse.Action) -> str:
    if _is_needed(action):
        return "required"
    if action.default in (None, False, argparse.SUPPRESS) or action.default == []:
        return ""
    return _code(str(action.default))


def _anchor(command: argparse.ArgumentParser) -> str:
    return command.prog.replace(" ", "-")


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    """Return text that does not end a cell of a table."""
    return text.replace("|", "\\|")


def main() -> None:
    """Print the page of the command `scaling`."""
    sys.stdout.write(describe(build_parser()))


if __name__ == "__main__":
    main()
