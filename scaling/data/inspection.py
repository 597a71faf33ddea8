"""Warnings about a user's own images and labels that can be used but look wrong.

Shapes: N images of S x S pixels.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling.data.greys import Part, Scale, odd_background, odd_scale, of

VERSION = 1  # raised when another check is made: what was prepared before is inspected once more

REPEATED = 0.01  # share of a part's images that may be copies; assumed, real digits have none
DOMINANT = 0.8  # share of a part's images in one class; assumed, real digits have 0.18 at most


def warnings(
    train: Part,
    test: Part,
    scale: Scale,
    raw: Mapping[str, NDArray[Any]],
    prepared: Mapping[str, NDArray[Any]],
) -> tuple[str, ...]:
    """Return all warnings about a file, a few words each.

    `raw` are the file's images as floats, `prepared` the images and labels that a network gets.
    """
    found = [*odd_scale(train, test, scale), *odd_background(train, test)]
    sides = [raw[part.array].shape[1] for part in (train, test)]
    if sides[0] != sides[1]:
        found.append(
            f"training images have {sides[0]}×{sides[0]} pixels, test images {sides[1]}×{sides[1]}"
        )
    labels = prepared["y_train"], prepared["y_test"]
    return (*found, *_odd_labels(*labels), *_copies(train, test, raw, prepared))


def _odd_labels(y_train: NDArray[Any], y_test: NDArray[Any]) -> Iterator[str]:
    """Warn of classes that a part lacks, or that fill it."""
    counts = [np.bincount(y, minlength=10) for y in (y_train, y_test)]
    trained, tested = (set(np.flatnonzero(count).tolist()) for count in counts)
    if tested - trained:
        n = int(counts[1][sorted(tested - trained)].sum())
        classes, verb = _classes(tested - trained)
        yield f"{classes} {verb} tested ({n:,} images) but never trained"
    if trained - tested:
        classes, verb = _classes(trained - tested)
        yield f"{classes} {verb} trained but never tested"
    if missing := set(range(10)) - trained - tested:
        classes, _ = _classes(missing)
        yield f"{classes} {'has' if len(missing) == 1 else 'have'} no image at all"
    for name, count in zip(("training", "test"), counts, strict=True):
        share = count.max() / count.sum()
        if share > DOMINANT and len(trained | tested) > 1:
            yield f"{share:.0%} of the {name} images are of class {count.argmax()}"


def _copies(
    train: Part, test: Part, raw: Mapping[str, NDArray[Any]], prepared: Mapping[str, NDArray[Any]]
) -> Iterator[str]:
    """Warn of images that occur more than once; blank ones have a warning of their own."""
    keys = {p.array: _hashes(prepared[p.array][p.shown]) for p in (train, test)}
    labels = {p.array: prepared[f"y_{p.array[2:]}"][p.shown] for p in (train, test)}
    again = np.isin(keys["x_test"], keys["x_train"])
    if n := int(again.sum()):
        theirs = np.isin(keys["x_train"], keys["x_test"])  # only these are looked at again
        originals = _hashes(raw["x_train"][np.flatnonzero(train.shown)[theirs]])
        copied = _hashes(raw["x_test"][np.flatnonzero(test.shown)[again]])
        exact = int(np.isin(copied, originals).sum())
        cut = "" if exact == n else f", {n - exact:,} of them only when brought to 16×16"
        known = set(zip(keys["x_train"].tolist(), labels["x_train"].tolist(), strict=True))
        pairs = zip(keys["x_test"][again].tolist(), labels["x_test"][again].tolist(), strict=True)
        other = sum(pair not in known for pair in pairs)
        told = f", {other:,} of them with another label" if other else ""
        yield (
            f"{of(n, test)} among the training images, too{cut}{told}: their errors say nothing"
            " about new images"
        )
    for part in (train, test):
        unique, first = np.unique(keys[part.array], return_inverse=True)
        copies = len(first) - len(unique)
        if copies > REPEATED * len(first):
            yield f"{of(copies, part)} copies of other {part.name} images"
        kinds = np.unique(256 * first + labels[part.array]) // 256  # once for each label
        contradicted = np.bincount(kinds, minlength=1) > 1
        if n := int(contradicted[first].sum()):
            yield f"{of(n, part)} the same as other {part.name} images with another label"


def _hashes(x: NDArray[Any]) -> NDArray[np.int64]:
    """Hash each image to 64 bits, so that no two of 10^6 agree by chance."""
    return np.fromiter((hash((image + 0).tobytes()) for image in x), np.int64, len(x))  # -0 is 0


def _classes(classes: set[int]) -> tuple[str, str]:
    names = [str(name) for name in sorted(classes)]
    if len(names) == 1:
        return f"class {names[0]}", "is"
    return f"classes {', '.join(names[:-1])} and {names[-1]}", "are"
