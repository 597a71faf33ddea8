"""The command line's grammar. Several values may be given apart, by commas, or by repeating."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from jobs.tuning.search_space import TUNABLES, USUAL
from scaling.check.command import add_arguments
from scaling.data.datasets import NAMES
from scaling.engines import DEVICES
from scaling.engines import NAMES as ENGINES
from scaling.models.architecture import MODEL
from scaling.models.registry import MODELS
from scaling.recipes.registry import ALIASES, RECIPES


class Parser(argparse.ArgumentParser):
    """Bad usage is one line and exit status 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser(commands: Mapping[str, Callable[[argparse.Namespace], int]]) -> Parser:
    """The parser of all commands; each sets `run` to its function."""
    parser = Parser(
        prog="scaling",
        description="Train LeCun's 1989 network over data-set size, width and 33 years of tricks.",
    )
    commands_of = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, build in {
        "data": _data,
        "train": _train,
        "studies": _studies,
        "sweep": _sweep,
        "submit": _submit,
        "tune": _tune,
        "status": _status,
        "fit": _fit,
        "validate": _validate,
        "predict": _predict,
        "report": _report,
        "verify": _verify,
        "bench": _bench,
        "check": add_arguments,
    }.items():
        run = commands[name]
        text = (run.__doc__ or "").splitlines()[0]
        command = commands_of.add_parser(name, help=text, description=text)
        build(command)
        command.set_defaults(run=run)
    return parser


def _data(p: Parser) -> None:
    p.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)} or FILE.npz")
    p.add_argument("--sheet", metavar="FILE.png", help="draw a contact sheet of each")
    p.add_argument("--json", action="store_true")


def _train(p: Parser) -> None:
    p.add_argument("--dataset", default="auto", metavar="D")
    p.add_argument("--n-train", type=whole, default=7291, metavar="N")
    p.add_argument("--n-test", type=whole_or_all, default="all", metavar="N|all")
    p.add_argument("--split", choices=("none", "tune"), default="none")
    p.add_argument("--width", type=float, default=1.0, metavar="W")
    p.add_argument("--recipe", default="1989", metavar="R", help=", ".join([*RECIPES, *ALIASES]))
    p.add_argument("--model", choices=tuple(MODELS), default=MODEL)
    p.add_argument("--epochs", type=whole, metavar="E", help="in place of the recipe's")
    p.add_argument("--batch-size", type=whole, metavar="B", help="in place of the recipe's")
    p.add_argument("--lr", type=float, help="in place of the recipe's")
    p.add_argument("--weight-decay", type=float, help="in place of the recipe's")
    p.add_argument("--seeds", type=whole, default=1, metavar="K", help="seeds 0 to K-1")
    p.add_argument("--engine", choices=ENGINES)
    p.add_argument("--device", choices=DEVICES, default="cpu")
    p.add_argument("--out", metavar="DIR", help="store the results there")
    p.add_argument("--save-weights", action="store_true", help="into DIR/weights")


def _studies(p: Parser) -> None:
    p.add_argument("--json", action="store_true")


def _sweep(p: Parser) -> None:
    p.add_argument("study", metavar="STUDY", help="a name, or a Python file with a STUDY in it")
    p.add_argument("--out", metavar="DIR|URI")
    p.add_argument("--address", default="auto", metavar="auto|local|HOST")
    p.add_argument("--dry-run", action="store_true", help="print cells and predicted cost only")
    p.add_argument("--cluster", metavar="'N cpu, M gpu'", help="of a dry run: its time on these")
    p.add_argument("--price", metavar="'P cpu, Q gpu'", help="of a core hour and of a GPU hour")
    _how(p)
    _overrides(p)


def _submit(p: Parser) -> None:
    p.add_argument("study", metavar="STUDY", help="a name, or a Python file with a STUDY in it")
    p.add_argument("--out", metavar="URI", help="results/STUDY where the head is this machine")
    p.add_argument("--address", metavar="URL", help="of the dashboard (http://127.0.0.1:8265)")
    p.add_argument("--wait", action="store_true", help="follow the log; the job's exit status")
    _how(p)
    _overrides(p)


def sweep_words(a: argparse.Namespace) -> list[str]:
    """What a submission passes on to the sweep: each option that is not as it would be anyway."""
    passed = Parser(add_help=False)
    _how(passed)
    _overrides(passed)
    words = []
    for action in passed._actions:
        value = getattr(a, action.dest)
        if value != action.default:
            several = value if isinstance(value, list) else [value]
            words += [action.option_strings[0], *(str(v) for v in several if v is not True)]
    return words


def _how(p: Parser) -> None:
    """How a sweep trains, wherever it was started."""
    p.add_argument("--cpus", type=whole, metavar="N", help="models to train at once")
    p.add_argument(
        "--device", choices=(*DEVICES, "auto"), default="cpu", help="auto: cores and GPUs at once"
    )
    p.add_argument("--engine", choices=ENGINES)
    p.add_argument("--retry-failed", action="store_true", help="train again what became NaN")
    p.add_argument("--shared-fs", action="store_true", help="every node sees the folder DIR")
    p.add_argument("--track", choices=("tensorboard", "mlflow"), help="a run a model there besides")


def _overrides(p: Parser) -> None:
    _several(p, "--dataset", str, "D")
    _several(p, "--n-train", whole, "N")
    _several(p, "--n-test", whole_or_all, "N|all")
    _several(p, "--width", float, "W")
    _several(p, "--model", str, "M")
    _several(p, "--recipe", str, "R")
    _several(p, "--seeds", seed, "K", help="one value: seeds 0 to K-1; several: these seeds")
    _several(p, "--epochs", whole, "E")


def _tune(p: Parser) -> None:
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
    _several(p, "--space", str, "NAME", help=usual)
    p.add_argument("--name", help="of this tuning (tune-D-nN-wW-R)")
    p.add_argument("--address", default="auto", metavar="auto|local|HOST")
    p.add_argument("--cpus", type=whole, metavar="N", help="suggestions to train at once")
    p.add_argument("--device", choices=DEVICES, default="cpu")
    p.add_argument("--engine", choices=ENGINES)
    p.add_argument("--shared-fs", action="store_true", help="every node sees the folder DIR")


def _status(p: Parser) -> None:
    p.add_argument("out", metavar="OUT")
    p.add_argument("--watch", action="store_true", help="until nothing is missing, or Ctrl-C")
    p.add_argument("--json", action="store_true")


def _fit(p: Parser) -> None:
    p.add_argument("out", metavar="OUT", nargs="?", help="a results folder")
    p.add_argument("--points", metavar="FILE", help="anybody's CSV or Parquet in its place")
    _columns(p)
    p.add_argument("--x2", metavar="COL", help="a second size, for a joint fit")
    p.add_argument("--form", metavar="F")
    p.add_argument("--objective", choices=("huber", "lad", "ls"), help="of the log residuals")
    p.add_argument("--delta", type=float, default=1e-3, help="of Huber's loss, in log error")
    p.add_argument("--ceiling", type=float, metavar="C", help="the error of guessing (0.9)")
    p.add_argument("--json", action="store_true")


def _validate(p: Parser) -> None:
    p.add_argument("out", metavar="OUT", nargs="?", help="a results folder")
    p.add_argument("--points", metavar="FILE", help="anybody's CSV or Parquet in its place")
    _columns(p)
    p.add_argument("--split", metavar="COL", help="fit where it is 1, test where 0; no windows")
    p.add_argument("--window", type=float, default=8.0, help="factor from first to last size")
    p.add_argument("--min-origin", type=float, default=2048.0, metavar="N")
    _several(p, "--ratios", float, "R", help="how far ahead (2,4,8)")
    p.add_argument("--json", action="store_true")


def _predict(p: Parser) -> None:
    p.add_argument("out", metavar="OUT", help="a results folder with smaller sizes in it")
    p.add_argument("cells", metavar="CELL", nargs="*", help="cell ids or patterns; else all")
    p.add_argument("--study", required=True, metavar="STUDY", help="a name, or a Python file")
    p.add_argument("--fit-to", type=whole, metavar="N", help="use sizes up to N only")
    p.add_argument("--json", action="store_true")
    _overrides(p)


def _columns(p: Parser) -> None:
    p.add_argument("--x", metavar="COL", help="sizes")
    p.add_argument("--y", metavar="COL", help="errors")
    p.add_argument("--se", metavar="COL", help="standard error of y")
    _several(p, "--group", str, "COL", help="a curve for each combination of these")


def _report(p: Parser) -> None:
    p.add_argument("out", metavar="OUT")
    p.add_argument(
        "out2", metavar="OUT2", nargs="?", help="compare this with OUT: OUT/comparison.html"
    )
    p.add_argument("--html", metavar="FILE", help="where the page goes (OUT/report.html)")


def _verify(p: Parser) -> None:
    p.add_argument("out", metavar="OUT")
    p.add_argument("--sample", type=seed, metavar="N", help="models to train again (a minute's)")
    p.add_argument("--seed", type=seed, default=0, metavar="S", help="chooses which (0)")
    p.add_argument("--by", choices=("reference",), help="another engine than the stored one")
    p.add_argument("--json", action="store_true")


def _bench(p: Parser) -> None:
    p.add_argument("--ray", action="store_true", help="also a sweep's overhead, on a local Ray")
    p.add_argument("--device", choices=DEVICES, default="cpu", help="of the populations")
    _several(p, "--members", whole, "K", help="of its populations (32; on a GPU 1 64 1024 4096)")
    p.add_argument("--out", metavar="DIR", help="write DIR/bench.json")
    p.add_argument("--json", action="store_true")


def whole(text: str) -> int:
    """A positive whole number; 7_291 will do."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"got '{text}', expected a whole number from 1")
    return number


def seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"got '{text}', expected a whole number from 0")
    return int(text)


def whole_or_all(text: str) -> int | str:
    return text if text == "all" else whole(text)


def chosen_seeds(values: list[int] | None) -> tuple[int, ...] | None:
    """One value is how many, several are the seeds themselves."""
    if values is None:
        return None
    return tuple(range(values[0])) if len(values) == 1 else tuple(dict.fromkeys(values))


def _several(
    p: Parser,
    flag: str,
    kind: Callable[[str], Any],
    metavar: str,
    help: str | None = None,  # noqa: A002
) -> None:
    def values(text: str) -> list[Any]:
        try:
            return [kind(part) for part in text.split(",") if part]
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"got '{text}', expected {metavar}[,{metavar}...]"
            ) from None

    p.add_argument(flag, type=values, nargs="+", action=_Flat, metavar=metavar, help=help)


class _Flat(argparse.Action):
    """Gathers the values of `--flag 1 2`, `--flag 1,2` and `--flag 1 --flag 2` into one list."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        earlier = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*earlier, *(item for part in values for item in part)])
