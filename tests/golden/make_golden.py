"""Make the golden test's files anew: `python tests/golden/make_golden.py [--train]`.

Without --train only what the commands say of the stored folders is written again. With it the
folders are trained again first, which takes six minutes on two quiet cores; their times and last
bits are then those of this machine. Either prints each leaf that changes. Do this for a deliberate
change of the statistics that its commit explains, never because a figure moved by itself.
"""

import argparse
import json
import lzma
import sys
import tarfile
import tempfile
from pathlib import Path

from golden_commands import run
from golden_leaves import Leaf, differences
from golden_runs import ARCHIVE, GOLDEN, STUDY_FILES, TRAINED, Found, look, missing

STORED = GOLDEN / "figures.json.xz"
LEFT_OUT = ("figures", ".part", ".lock")  # of a trained folder


def main() -> int:
    """Write the files, and print what changes in them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true", help="the folders too")
    if parser.parse_args().train:
        train()
    with tempfile.TemporaryDirectory() as folder:
        found, outcomes = look(Path(folder))
    if empty := missing(found):
        said = [f"{name}: {each.err.strip()}" for name, each in outcomes.items() if each.status]
        sys.exit("\n".join([f"nothing was found of {', '.join(empty)}; what failed:", *said]))
    before = read_stored() if STORED.exists() else {}
    lost = [name for name in before if name not in found]
    for name, stored in before.items():
        print(*differences(name, stored, found.get(name, {})), sep="\n")
    print(f"{len(lost)} parts lost; {sum(map(len, found.values())):,} leaves written: {STORED}")
    write_stored(found)
    return 0


def train() -> None:
    """Train the folders in a place of their own, and store them as one file."""
    with tempfile.TemporaryDirectory() as spare:
        folder = Path(spare)
        for name in STUDY_FILES:
            (folder / name).write_bytes((GOLDEN / name).read_bytes())
        for command in TRAINED:  # each in its own process, as Ray starts once in a process
            (outcome,) = run([command], folder)
            print(outcome.status, command, outcome.err.splitlines()[-1:], flush=True)
        with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
            for name in ("small", "other"):
                archive.add(folder / name, arcname=name, filter=_kept)


def _kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what the report draws, and whose the files are."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return None if Path(entry.name).name in LEFT_OUT else entry


def read_stored() -> Found:
    """Return the stored leaves."""
    stored: Found = json.loads(lzma.decompress(STORED.read_bytes()))
    return stored


def write_stored(found: Found) -> None:
    """Store leaves; twelve digits are more than any tolerance asks for."""
    short = {
        name: {path: _short(value) for path, value in each.items()} for name, each in found.items()
    }
    body = json.dumps(short, separators=(",", ":"), ensure_ascii=False).encode()
    STORED.write_bytes(lzma.compress(body, preset=9 | lzma.PRESET_EXTREME))


def _short(value: Leaf) -> Leaf:
    return float(f"{value:.12g}") if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
