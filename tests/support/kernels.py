"""Load kernels in processes of their own, in some order, and train with each."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

# activation, optimizer, width: one compilation each
Kind = tuple[str, str, int]

SCRIPT = """
import hashlib, json, sys
from dataclasses import replace
from scaling import engines
from scaling.check.cases import noise
from scaling.recipes.registry import find_recipe
from scaling.study import make_cell, make_members

data = noise()
BASE = {
    "sgd": find_recipe("1989"),
    "momentum": replace(find_recipe("1989"), momentum=0.9, lr=0.003),
    "adamw": find_recipe("dropout_relu"),
    "scaled_sgd": find_recipe("second_order"),
}

def trained(activation, optimizer, width):
    base = BASE[optimizer]
    recipe = replace(base, activation=activation, epochs=2, lr=base.lr / width)
    cell = make_cell(data.info, recipe, n_train=40, n_test=20, width=width)
    (result,) = engines.train(
        cell, make_members(recipe, [0]), data, engine="compiled", epochs_evaluated=[2]
    )
    found = hashlib.sha256(result.predicted.tobytes() + repr(result.history[-1].test).encode())
    for name in sorted(result.weights):
        found.update(result.weights[name].tobytes())
    return found.hexdigest()

kinds = json.loads(sys.argv[1])
first = [trained(*kind) for kind in kinds]
again = [trained(*kind) for kind in kinds]  # now that all of them are loaded
print(json.dumps([first, again]))
"""


def digests(kinds: Sequence[Kind], **environment: str) -> tuple[list[str], list[str], str]:
    """Return each kind's training after its own load and after all loads, and messages."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(kinds)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"{kinds}: ended with {done.returncode}\n{done.stderr[-2000:]}"
    first, again = json.loads(done.stdout)
    return first, again, done.stderr


def rotations(kinds: Sequence[Kind]) -> list[list[Kind]]:
    """Return orders in which every kind comes before and after every other one."""
    return [[*kinds[i:], *kinds[:i]] for i in range(len(kinds))]
