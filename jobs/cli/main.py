"""The command `scaling`: arguments in, one call, text out.

Exit status: 0 done; 1 some models failed, the others are stored; 2 bad usage or input, one line.
"""

import os
import shlex
import sys

from jobs.cli import bench, fitting, inspecting, training, tune, verify
from jobs.cli.arguments import build_parser
from jobs.cli.printing import check_words, printable
from jobs.execution.shelter import take_shelter
from scaling.check.command import check
from scaling.errors import InputError

COMMANDS = {
    "data": inspecting.data,
    "train": training.train,
    "studies": inspecting.studies,
    "sweep": training.sweep,
    "submit": training.submit,
    "tune": tune.tune,
    "status": inspecting.status,
    "fit": fitting.fit,
    "validate": fitting.validate,
    "predict": fitting.predict,
    "report": inspecting.report,
    "verify": verify.verify,
    "bench": bench.bench,
    "check": check,
}


def main(argv: list[str] | None = None) -> int:
    """Run one command. A user's mistake is one line on stderr, never a traceback."""
    printable(sys.stdout, sys.stderr)
    words = sys.argv[1:] if argv is None else argv
    arguments = build_parser(COMMANDS).parse_args(words)
    arguments.command = shlex.join(["scaling", *words])  # the report says how to do it again
    try:
        check_words(words)
        take_shelter()
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except InputError as error:
        print(f"scaling: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `scaling ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("scaling: stopped; what is stored stays, the same command goes on", file=sys.stderr)
        return 130
    return status


def entry() -> None:
    sys.exit(main())
