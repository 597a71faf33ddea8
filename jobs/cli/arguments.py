"""The command line's grammar, and the study and the folder that arguments name.

Several values may be given apart, by commas, or by repeating an option.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from jobs.studies import find_study
from scaling.engines import DEVICES
from scaling.engines import NAMES as ENGINES
from scaling.errors import InputError
from scaling.store.store import Store
from scaling.study import Study

# The help of options that many commands share, where a command gives none of its own.
HELP = {
    "address": "a Ray cluster; auto: the one that this machine is in, else a local one",
    "batch_size": "examples a step",
    "dataset": "mnist, usps, strokes, FILE.npz, or auto: mnist where it is available, else strokes",
    "device": "the processor or the GPU",
    "engine": "what trains; else the fastest that can",
    "epochs": "passes over the training images",
    "form": "one form of docs/concepts.md; else the usual ones",
    "json": "print JSON for programs",
    "lr": "learning rate of the first epoch",
    "min_origin": "the first window ends at this size, each further one at twice the last",
    "model": "the network: lecun1989 or micro_vit",
    "n_test": "test images: a fixed random subset, or all",
    "n_train": "training images",
    "out": "the results folder",
    "recipe": "how it is trained; see `scaling train`",
    "split": "tune: a part of the training images is for validation",
    "width": "multiplies the number of planes and units of 1989",
}


class Parser(argparse.ArgumentParser):
    """Answer bad usage by one line and exit status 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: its options, and the function that returns its exit status.

    The first line of that function's docstring is the command's help.
    """

    name: str
    add_arguments: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]

    @property
    def help(self) -> str:
        return (self.run.__doc__ or "").splitlines()[0]


def whole(text: str) -> int:
    """Return a positive whole number; 7_291 will do."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"got '{text}', expected a whole number from 1")
    return number


def seed(text: str) -> int:
    """Return a whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"got '{text}', expected a whole number from 0")
    return int(text)


def whole_or_all(text: str) -> int | str:
    """Return a positive whole number, or `all`."""
    return text if text == "all" else whole(text)


def add_several(
    p: argparse.ArgumentParser,
    flag: str,
    kind: Callable[[str], Any],
    metavar: str,
    help: str | None = None,  # noqa: A002
) -> None:
    """Add an option that takes several values, each of this kind."""

    def values(text: str) -> list[Any]:
        try:
            return [kind(part) for part in text.split(",") if part]
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"got '{text}', expected {metavar}[,{metavar}...]"
            ) from None

    p.add_argument(flag, type=values, nargs="+", action=_Flat, metavar=metavar, help=help)


class _Flat(argparse.Action):
    """Gather the values of `--flag 1 2`, `--flag 1,2` and `--flag 1 --flag 2` into one list."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        earlier = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*earlier, *(item for part in values for item in part)])


def add_training_options(p: argparse.ArgumentParser) -> None:
    """Add the options of a sweep that apply wherever it runs."""
    p.add_argument("--cpus", type=whole, metavar="N", help="models to train at once")
    p.add_argument(
        "--device", choices=(*DEVICES, "auto"), default="cpu", help="auto: cores and GPUs at once"
    )
    p.add_argument("--engine", choices=ENGINES)
    p.add_argument("--retry-failed", action="store_true", help="train again what became NaN")
    p.add_argument("--shared-fs", action="store_true", help="every node sees the folder DIR")
    p.add_argument("--track", choices=("tensorboard", "mlflow"), help="a run a model there besides")


def add_axes(p: argparse.ArgumentParser) -> None:
    """Add the options that replace axes of a study."""
    add_several(p, "--dataset", str, "D")
    add_several(p, "--n-train", whole, "N")
    add_several(p, "--n-test", whole_or_all, "N|all")
    add_several(p, "--width", float, "W")
    add_several(p, "--model", str, "M")
    add_several(p, "--recipe", str, "R")
    add_several(p, "--seeds", seed, "K", help="one value: seeds 0 to K-1; several: these seeds")
    add_several(p, "--epochs", whole, "E")


def words_for_sweep(args: argparse.Namespace) -> list[str]:
    """Return the options that a sweep started elsewhere needs: those that are not the default."""
    known = Parser(add_help=False)
    add_training_options(known)
    add_axes(known)
    words = []
    for action in known._actions:
        value = getattr(args, action.dest)
        if value != action.default:
            several = value if isinstance(value, list) else [value]
            words += [action.option_strings[0], *(str(v) for v in several if v is not True)]
    return words


def study_from_args(args: argparse.Namespace) -> Study:
    """Return the study that is named, with the axes that options replace."""
    return find_study(args.study).override(
        dataset=_axis(args.dataset),
        n_train=_axis(args.n_train),
        n_test=_axis(args.n_test),
        width=_axis(args.width),
        model=_axis(args.model),
        recipe=_axis(args.recipe),
        seeds=_seeds(args.seeds),
        epochs=_axis(args.epochs),
    )


def _axis(values: list[Any] | None) -> tuple[Any, ...] | None:
    return tuple(dict.fromkeys(values)) if values else None


def _seeds(values: list[int] | None) -> tuple[int, ...] | None:
    """Return seeds: one value is their number, several are the seeds themselves."""
    if values is None:
        return None
    return tuple(range(values[0])) if len(values) == 1 else tuple(dict.fromkeys(values))


def add_points(p: argparse.ArgumentParser) -> None:
    """Add the arguments for the points of a curve: a results folder, or a table's columns."""
    p.add_argument("out", metavar="OUT", nargs="?", help="a results folder")
    p.add_argument("--points", metavar="FILE", help="your own CSV or Parquet file in its place")
    p.add_argument("--x", metavar="COL", help="sizes")
    p.add_argument("--y", metavar="COL", help="errors")
    p.add_argument("--se", metavar="COL", help="standard error of y")
    add_several(p, "--group", str, "COL", help="a curve for each combination of these")


def check_points(command: str, args: argparse.Namespace) -> None:
    """Raise InputError unless either a results folder or a table of points is named."""
    if bool(args.out) == bool(args.points):
        raise InputError(f"{command} needs a results folder OUT, or --points FILE with --x and --y")


def add_own_data(p: argparse.ArgumentParser) -> None:
    """Add the option that names data of the user's own, as no path of a plan is opened."""
    p.add_argument(
        "--data", metavar="FILE", nargs="+", default=[], help="the files of your own data"
    )


def open_store(out: str) -> Store:
    """Return the store of a results folder. Raises InputError where the folder is missing."""
    store = Store(out)
    if not store.exists():
        raise InputError(f"{out} is no results folder: `scaling sweep STUDY --out {out}` makes one")
    return store
