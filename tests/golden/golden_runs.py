"""The command lines of the golden test, and all that is kept of what they print and write.

`TRAINED` made the stored folders (make_golden.py runs it); `LOOKED` is what the test runs on them.
"""

import json
import re
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from golden_commands import ROOT, Outcome, run
from golden_leaves import Leaf, leaves

GOLDEN = Path(__file__).parent
ARCHIVE = GOLDEN / "results.tar.xz"  # the folders small and other
STUDY_FILES = ("engines.py", "transfer.py")
NOWHERE = "--address '???'"  # no address: a sweep writes its plan and ends before it trains

_STROKES = "--dataset strokes --n-test 300"
_HERE = "--address local --cpus 1 --out small"
_CURVES = f"quickstart {_STROKES} --seeds 3 --epochs 10 --n-train 128 256 512 1024 2048 4096"
_TUNED = f"tune {_STROKES} --n-train 100 --recipe 1989 --epochs 2 --suggestions 5 --seeds 2"

# Each sweep as it was when it was last run; --address and --out follow.
SWEEPS = {
    "quickstart": f"sweep {_CURVES} 8192 16384",
    "ladder": f"sweep ladder {_STROKES} --n-train 200 --seeds 2 --epochs 3",
    "engines": "sweep engines.py",
    "transfer": "sweep transfer.py",
    "epochs": f"sweep epochs {_STROKES} --n-train 100 --epochs 2 4 8 --recipe 1989 dropout_relu"
    " --seeds 2",
    "norms": f"sweep norms {_STROKES} --n-train 60 --epochs 2 --width 1 2"
    " --recipe dropout_relu layer_norm residual --seeds 2",
    "zipcode": f"sweep zipcode {_STROKES} --n-train 100 --epochs 2 --recipe 1989 ce paper"
    " --seeds 1",
    "data": f"sweep data {_STROKES} --n-train 70 140 --epochs 2 --recipe 1989 --seeds 2",
    "tune": _TUNED,
}

# The numbers of images 16384 and, of `data`, 140 stay planned; those of 50 stay without a plan.
TRAINED = (
    f"scaling sweep {_CURVES} {_HERE}",
    f"scaling predict small --study {_CURVES} 8192 16384",
    f"scaling sweep {_CURVES} 8192 {_HERE}",
    f"scaling {SWEEPS['quickstart']} {NOWHERE} --out small",
    f"scaling {SWEEPS['ladder']} {_HERE}",
    f"scaling {SWEEPS['engines']} --seeds 0 1 2 --engine reference {_HERE}",
    f"scaling {SWEEPS['engines']} {_HERE}",
    f"scaling {SWEEPS['transfer']} {_HERE}",
    f"scaling {SWEEPS['epochs']} {_HERE}",
    f"scaling {SWEEPS['norms']} {_HERE}",
    f"scaling {SWEEPS['zipcode']} {_HERE}",
    f"scaling {SWEEPS['tune']} {_HERE}",
    f"scaling train {_STROKES} --n-train 64 --recipe dropout_relu --epochs 2 --seeds 2 --lr 1e12"
    " --out small",  # becomes NaN
    f"scaling sweep data {_STROKES} --n-train 50 70 --epochs 2 --recipe 1989 --seeds 1 {_HERE}",
    f"scaling {SWEEPS['data']} {NOWHERE} --out small",
    "scaling bench --out small",
    f"scaling sweep quickstart {_STROKES} --n-train 128 512 --seeds 2 3 --epochs 10"
    " --recipe 1989 adamw --address local --cpus 1 --out other",
)

# docs/published holds these for ever: what is published later does not bear on the test.
PUBLISHED = (
    "ablation-20261127-8619767478f1",
    "best-20261127-ce3282d8e320",
    "data-20261127-7d5ff6906a9d",
    "grid-20261127-10e035b15a5d",
    "grid-20261127-15da2fc3ea52",
    "grid-20261127-2e9fac1275d8",
    "grid-20261127-598a94b76d4d",
    "ladder-20261127-96b81f12ff8e",
    "negative-20261127-8040d593e219",
    "revisit-20261127-c895bae35292",
    "screening-20261127-ed5440a66254",
    "width-20261127-131d442f4c85",
    "zipcode-20261127-a03d75865790",
)
_FILES = " ".join(f"'{ROOT}/docs/published/{name}.parquet'" for name in PUBLISHED)

BUILT_IN = (
    *("ablation", "best", "data", "epochs", "grid", "ladder", "million", "negative", "norms"),
    *("quickstart", "revisit", "screening", "transfer", "width", "zipcode"),
)
_BY_HAND = "scaling train --dataset strokes --n-test 100 --engine reference --epochs 2 --out new"

LOOKED = {
    "small status": "scaling status small --json",
    "small fit": "scaling fit small --json",
    "small validate": "scaling validate small --json --min-origin 1024 --ratios 2 4",
    "small verify": "scaling verify small --sample 0 --json",
    "small report": "scaling report small",
    "small comparison": "scaling report small other",
    "small forecasts": f"scaling predict small --study {_CURVES} 32768 65536 --json",
    "torn status": "scaling status torn --json",
    "published unpack": f"python -m jobs.publish --unpack {_FILES} --out published",
    "published status": "scaling status published --json",
    "published report": "scaling report published",
    "studies": "scaling studies --json",
    "no folder": "scaling report nothing",
    "no study": "scaling sweep nothing --dry-run",
    "train": f"{_BY_HAND} --n-train 40 --recipe 1989",
    "train with tricks": f"{_BY_HAND} --n-train 40 --recipe dropout_relu --save-weights",
    "train to NaN": f"{_BY_HAND} --n-train 64 --recipe dropout_relu --lr 1e12",
    **{f"again {n}": f"scaling {words} {NOWHERE} --out again" for n, words in SWEEPS.items()},
    "again status": "scaling status again --json",
    **{
        f"plan {name}": f"scaling sweep {name} --dataset strokes {NOWHERE} --out plans"
        for name in BUILT_IN
    },
}
PRINTED = (  # JSON on the screen
    *("small status", "small fit", "small validate", "small verify", "small forecasts"),
    *("torn status", "published status", "again status", "studies"),
)
WRITTEN = {  # JSON in a file
    "small report": "small/numbers.json",
    "small comparison": "small/comparison_numbers.json",
    "small tuning": "again/tuning/tune-strokes-n100-w1-1989-e2.json",
    "published report": "published/numbers.json",
}

Found = dict[str, dict[str, Leaf]]


def prepare(folder: Path) -> None:
    """Unpack the stored folders, and make the variants that some commands look at."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    for name in STUDY_FILES:
        shutil.copy(GOLDEN / name, folder)
    torn, again = (Path(shutil.copytree(folder / "small", folder / n)) for n in ("torn", "again"))
    victim = min((torn / "metrics").iterdir())
    victim.write_bytes(victim.read_bytes()[:500])
    shutil.rmtree(again / "studies")  # so that what is there later was planned anew


def look(folder: Path) -> tuple[Found, dict[str, Outcome]]:
    """Run `LOOKED` there: all leaves that the test compares, by what they are of."""
    prepare(folder)
    outcomes = dict(zip(LOOKED, run(list(LOOKED.values()), folder), strict=True))
    found: Found = {"exit status": {name: each.status for name, each in outcomes.items()}}
    for name in PRINTED:
        found[name] = leaves(_json(outcomes[name].out))
    for name, path in WRITTEN.items():
        found[name] = leaves(_json(_text(folder / path)))
    for name in ("small", "published"):
        found[f"{name} page"] = _page(folder / name)
    found["plans"] = _planned(folder / "plans")
    found["plans again"] = _planned(folder / "again")
    found["trained"] = _rows((folder / "new" / "metrics").glob("*.parquet"))
    found["columns"] = _columns([folder / name for name in ("small", "published", "new")])
    return found, outcomes


def _json(text: str) -> Any:
    """Return what the text holds; of a command that failed, nothing."""
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _page(folder: Path) -> dict[str, Leaf]:
    """Name the headings that links lead to, and the figures."""
    ids = re.findall(r'<h2 id="([^"]+)"', _text(folder / "report.html"))
    figures = [path.name for path in (folder / "figures").glob("*")]
    return {f"heading {name}": True for name in ids} | {f"figure {name}": True for name in figures}


def _planned(folder: Path) -> dict[str, Leaf]:
    """Name each planned cell with the ids of its models, in their order."""
    found: dict[str, Leaf] = {}
    for path in sorted((folder / "studies").glob("*.json")):
        plan = _json(_text(path))
        for cell in plan["cells"]:
            runs = [member["run_id"] for member in cell["members"]]
            found[f"{plan['name']}/{cell['cell_id']}"] = " ".join(runs)
    return found


def _rows(paths: Iterable[Path]) -> dict[str, Leaf]:
    """Return the losses and misses of each epoch."""
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return {
        f"{row['run_id']}/{row['epoch']}/{name}": row[name]
        for row in rows
        for name in ("train_loss", "train_misses", "test_loss", "test_misses", "examples_seen")
    }


def _columns(folders: Iterable[Path]) -> dict[str, Leaf]:
    """Return the columns and types of each kind of Parquet file; several, where files differ."""
    found: dict[str, Leaf] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*/*.parquet"))):
        columns = ", ".join(f"{field.name}: {field.type}" for field in pq.read_schema(path))
        found[f"{path.parent.parent.name}/{path.parent.name}/{columns}"] = True
    return found


def missing(found: Mapping[str, Mapping[str, Leaf]]) -> list[str]:
    """Name what nothing was found of, so that no comparison passes for want of figures."""
    return [name for name, each in found.items() if not each]
