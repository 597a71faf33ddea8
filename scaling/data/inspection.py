"""Warnings about a user's images and labels that are usable but look wrong.

Shapes: N images of S x S pixels.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling.data.greys import Part, Scale, background_warnings, count_phrase, scale_warnings

VERSION = 1  # raised with each new check, so that prepared data sets are inspected again

REPEATED = 0.01  # share of a part's images that may be copies; assumed, real digits have no copies
DOMINANT = 0.8  # share of a part's images in one class; assumed, at most 0.18 for real digits


def warnings(
    train: Part,
    test: Part,
    scale: Scale,
    raw: Mapping[str, NDArray[Any]],
    prepared: Mapping[str, NDArray[Any]],
) -> tuple[str, ...]:
    """Return all warnings about a file, each in a few words.

    `raw` has the file's images as floats, `prepared` the images and labels for the network.
    """
    found = [*scale_warnings(train, test, scale), *background_warnings(train, test)]
    sides = [raw[part.array].shape[1] for part in (train, test)]
    if sides[0] != sides[1]:
        found.append(
            f"training images have {sides[0]}×{sides[0]} pixels, test images {sides[1]}×{sides[1]}"
        )
    labels = prepared["y_train"], prepared["y_test"]
    return (*found, *_label_warnings(*labels), *_copy_warnings(train, test, raw, prepared))


def _label_warnings(y_train: NDArray[Any], y_test: NDArray[Any]) -> Iterator[str]:
    """Yield warnings of classes that are missing from a part or dominate it."""
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


def _copy_warnings(
    train: Part, test: Part, raw: Mapping[str, NDArray[Any]], prepared: Mapping[str, NDArray[Any]]
) -> Iterator[str]:
    """Yield warnings of images that occur more than once; blank ones have their own warning."""
    keys = {p.array: _hashes(prepared[p.array][p.nonblank]) for p in (train, test)}
    labels = {p.array: prepared[f"y_{p.array[2:]}"][p.nonblank] for p in (train, test)}
    again = np.isin(keys["x_test"], keys["x_train"])
    if n := int(again.sum()):
        theirs = np.isin(keys["x_train"], keys["x_test"])  # only these need their raw images
        originals = _hashes(raw["x_train"][np.flatnonzero(train.nonblank)[theirs]])
        copied = _hashes(raw["x_test"][np.flatnonzero(test.nonblank)[again]])
        exact = int(np.isin(copied, originals).sum())
        cut = "" if exact == n else f", {n - exact:,} of them only when brought to 16×16"
        known = set(zip(keys["x_train"].tolist(), labels["x_train"].tolist(), strict=True))
        pairs = zip(keys["x_test"][again].tolist(), labels["x_test"][again].tolist(), strict=True)
        other = sum(pair not in known for pair in pairs)
        relabelled = f", {other:,} of them with another label" if other else ""
        yield (
            f"{count_phrase(n, test)} among the training images, too{cut}{relabelled}: their errors"
            " say nothing about new images"
        )
    for part in (train, test):
        unique, first = np.unique(keys[part.array], return_inverse=True)
        copies = len(first) - len(unique)
        if copies > REPEATED * len(first):
            yield f"{count_phrase(copies, part)} copies of other {part.name} images"
        kinds = np.unique(256 * first + labels[part.array]) // 256  # once for each label
        contradicted = np.bincount(kinds, minlength=1) > 1
        if n := int(contradicted[first].sum()):
            yield f"{count_phrase(n, part)} the same as other {part.name} images with another label"


def _hashes(x: NDArray[Any]) -> NDArray[np.int64]:
    """Return a 64-bit hash of each image, so that no two of 10^6 agree by chance."""
    return np.fromiter((hash((image + 0).tobytes()) for image in x), np.int64, len(x))  # -0 is 0


def _classes(classes: set[int]) -> tuple[str, str]:
    names = [str(name) for name in sorted(classes)]
    if len(names) == 1:
        return f"class {names[0]}", "is"
    return f"classes {', '.join(names[:-1])} and {names[-1]}", "are"
