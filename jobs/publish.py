"""Publish studies: `python -m jobs.publish OUT` adds their files to docs/published, which stay.

`python -m jobs.publish --unpack docs/published --out DIR` makes a results folder of them again.
docs/published/README.md says what the files hold.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.cli import verify
from jobs.cli.arguments import add_own_data
from jobs.cli.output import report_corrupt_files
from scaling.archive.models import Archive, Model, latest_models, merge_plans
from scaling.archive.parquet_file import (
    read_checked,
    read_folder,
    read_published,
    to_bytes,
    write_published,
)
from scaling.archive.reproduce import check_weights, retrain
from scaling.archive.weights import (
    MOST_MODELS,
    arrays_from_bytes,
    weights_from_bytes,
    weights_to_bytes,
)
from scaling.errors import InputError
from scaling.models.weights import Weights
from scaling.store.contents import Contents
from scaling.store.store import Store

INTO = Path("docs/published")
VERIFIED = 0.02  # share of the models that are trained again before any is published


def publish(out: str, studies: Sequence[str], into: Path) -> None:
    """Add a file for each study that has models which are not published yet.

    Raises InputError for an unknown study, and for results that are corrupt or do not agree.
    """
    store = _existing(out)
    contents = store.contents()
    plans, models, failures = store.read_plans(), finished(contents), contents.failures
    if unknown := [name for name in studies if name not in plans]:
        raise InputError(f"{out} has no study {unknown[0]}: expected {', '.join(plans) or 'one'}")
    numeric = [row for row in failures.to_pylist() if row["kind"] == "numeric"]
    known = {(m.run_id, m.created_at) for archive in read_folder(into) for m in archive.models}
    for name in studies or sorted(plans):
        planned = [m["run_id"] for cell in plans[name]["cells"] for m in cell["members"]]
        new = [models[run] for run in dict.fromkeys(planned) if run in models]
        new = [model for model in new if (model.run_id, model.created_at) not in known]
        if not new:
            print(f"{name}: no models that are not published already")
            continue
        failed = [row for row in numeric if row["run_id"] in set(planned) - set(models)]
        archive = Archive(plan=plans[name], models=tuple(new), failures=tuple(failed))
        try:
            body = to_bytes(archive)
        except InputError as error:
            raise InputError(f"study {name} cannot be published: {error}") from error
        path = write_published(into, name, ".parquet", archive.created_at, body)
        known |= {(model.run_id, model.created_at) for model in new}
        missing = len(set(planned) - {run for run, _ in known})
        print(
            f"{name}: {len(new):,} models in {len(body):,} bytes, {missing:,} of its models are"
            f" missing or failed: {path}"
        )


def unpack(sources: Sequence[Path], out: str) -> None:
    """Make a results folder of published files or of a folder of them; the latest rows stay.

    Raises InputError where there are results already: they would be replaced.
    """
    archives: list[Archive] = []
    for source in sources:
        archives += read_folder(source) if source.is_dir() else [read_published(source)]
    if not archives:
        raise InputError(f"{', '.join(map(str, sources))}: no published studies there")
    archives.sort(key=lambda archive: archive.created_at)
    store = Store(out)
    if store.stamps("metrics") or store.read_plans():
        raise InputError(f"--out {out} has results already: name a new folder")
    store.check_writable()
    models = latest_models(archives)
    failures = [row for archive in archives for row in archive.failures]
    failures.sort(key=lambda row: row["created_at"])  # a later one is written over an earlier one
    for model in models.values():
        store.write_model(model.rows, model.prediction)
    for row in failures:
        if row["run_id"] not in models:
            store.write_failure(row)
    for name, plan in merge_plans(archive.plan for archive in archives).items():
        store.write_file(f"studies/{name}.json", json.dumps(plan, indent=1).encode())
    print(f"{len(models):,} models of {len(archives)} files: {out}")


def publish_weights(out: str, runs: Sequence[str], into: Path, *, again: bool) -> None:
    """Add a file with the weights of published models, as stored in OUT or trained again.

    Raises InputError for a model that is not published, or more of them than may be.
    """
    archives = read_folder(into)
    published = latest_models(archives)
    there = published_weights(into)
    new = [run for run in dict.fromkeys(runs) if run not in there]
    if unknown := [run for run in new if run not in published]:
        raise InputError(f"model {unknown[0]} is not published: publish its study first")
    if len(there) + len(new) > MOST_MODELS:
        raise InputError(
            f"weights of {len(there)} models are published, {len(new)} more were asked for:"
            f" expected at most {MOST_MODELS} in all"
        )
    if not new:
        print("weights: all of these are published already")
        return
    entries = {
        member["run_id"]: cell
        for archive in archives
        for cell in archive.plan["cells"]
        for member in cell["members"]
    }
    store = _existing(out)
    weights = {
        run: retrain(entries[run], published[run]) if again else _stored(store, run) for run in new
    }
    if not again:
        for run in new:
            check_weights(entries[run], published[run], weights[run])
    body = weights_to_bytes(weights)
    day = max(published[run].created_at for run in new)
    path = write_published(into, "weights", ".npz", day, body)
    print(f"weights of {len(new)} models in {len(body):,} bytes: {path}")


def published_weights(folder: Path) -> dict[str, Weights]:
    """Return the weights in a folder, by run_id. Raises InputError for a damaged file."""
    return {
        run: weights
        for path in sorted(folder.glob("*.npz"))
        for run, weights in weights_from_bytes(read_checked(path)).items()
    }


def finished(contents: Contents) -> dict[str, Model]:
    """Return the complete models of a results folder by run_id.

    Raises InputError for damaged files.
    """
    if report_corrupt_files(contents.corrupt):
        raise InputError("the folder has files that cannot be read: nothing was published")
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in contents.metrics.to_pylist():
        rows.setdefault(row["run_id"], []).append(row)
    found = {}
    for prediction in contents.predictions.to_pylist():
        by_epoch = sorted(rows.get(prediction["run_id"], []), key=lambda row: int(row["epoch"]))
        if by_epoch and by_epoch[-1]["epoch"] == by_epoch[-1]["epochs"]:
            model = Model(rows=tuple(by_epoch), prediction=prediction)
            found[model.run_id] = model
    return found


def main(argv: list[str] | None = None) -> int:
    """Publish or unpack. Exit status 2 and one line for bad input."""
    parser = argparse.ArgumentParser(prog="python -m jobs.publish", description=__doc__)
    parser.add_argument("results", nargs="?", metavar="OUT", help="results folder to publish from")
    parser.add_argument("--study", nargs="+", default=[], metavar="NAME", help="default: all")
    parser.add_argument("--into", type=Path, default=INTO, help=f"default: {INTO}")
    parser.add_argument("--weights", nargs="+", default=[], metavar="RUN_ID", help="of OUT/weights")
    parser.add_argument("--train-weights", nargs="+", default=[], metavar="RUN_ID", help="anew")
    add_own_data(parser)
    parser.add_argument("--unpack", nargs="+", type=Path, metavar="PATH", help="files or a folder")
    parser.add_argument("--out", help="where --unpack makes a results folder")
    args = parser.parse_args(argv)
    try:
        if bool(args.results) == bool(args.unpack) or bool(args.out) != bool(args.unpack):
            raise InputError("expected a results folder OUT, or --unpack PATH with --out DIR")
        if args.unpack:
            unpack(args.unpack, args.out)
            return 0
        if VERIFIED:
            _verify(args.results, args.data)
        publish(args.results, args.study, args.into)
        for runs, again in ((args.weights, False), (args.train_weights, True)):
            if runs:
                publish_weights(args.results, runs, args.into, again=again)
    except InputError as error:
        print(f"jobs.publish: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _verify(out: str, data: Sequence[str]) -> None:
    """Raise InputError unless results hold, by themselves and trained again in part."""
    sample = math.ceil(VERIFIED * len(finished(_existing(out).contents())))
    asked = {"out": out, "data": data, "sample": sample, "by": None, "seed": 0, "json": False}
    if verify.run(argparse.Namespace(**asked)):
        raise InputError(f"{out} does not hold what training gives: nothing was published")


def _existing(out: str) -> Store:
    store = Store(out)
    if not store.exists():
        raise InputError(f"{out} is no results folder: expected the --out of a sweep")
    return store


def _stored(store: Store, run_id: str) -> Weights:
    """Return the weights that `scaling train --save-weights` stored."""
    name = f"weights/{run_id}.npz"
    if (body := store.read_file(name)) is None:
        raise InputError(f"{store.address(name)} is missing: use --train-weights {run_id}")
    try:
        return arrays_from_bytes(body)
    except InputError as error:
        raise InputError(f"{store.address(name)} cannot be read ({error})") from error


if __name__ == "__main__":
    sys.exit(main())
