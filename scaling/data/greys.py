"""Checks of the grey scale and the background of a user's own images.

Pure functions of arrays. All statistics are medians over images or counts of images, so that they
suit ten images as well as 70,000, and one odd image decides nothing.

Shapes: N images of S x S pixels; low, high, ring (N,) by image.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Scale = tuple[float, float]
SCALES: tuple[Scale, ...] = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))

# Assumed, far from what real digits have. Measured on MNIST (28x28 and 16x16), USPS and strokes:
# the least contrast of an image is 0.57 of the typical one; the background (0 to 1, as below) is at
# most 0.37 in any image and 0.09 in a typical one.
OVERSHOOT = 0.05  # of a scale: resampled images may exceed it by this
APART = 0.4  # of a scale: the typical images of two parts may not differ by this
ANOTHER_UNIT = 10.0  # nor may their contrasts have this ratio
BLANK = 1 / 20  # of the typical contrast: an image with less is nearly blank
FAINT = 1 / 4  # of a scale: typical images with less contrast may be on another scale
MIXED = 1 / 4  # of the images: with this many on either background neither is usual (assumed)
DARK, LIGHT = 1 / 3, 2 / 3  # of an image's own contrast: darker and lighter backgrounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Statistics of each training or test image as it is in the file."""

    name: str  # "training" or "test"
    array: str  # "x_train" or "x_test"
    low: Floats
    high: Floats
    ring: Floats  # mean grey of the outermost pixels

    @property
    def nonblank(self) -> NDArray[np.bool_]:
        """Return a mask of the images whose pixels are not all equal."""
        return self.high > self.low

    @property
    def typical(self) -> Scale | None:
        """Return the darkest and lightest grey of a typical image; None if all are blank."""
        if not self.nonblank.any():
            return None
        return float(np.median(self.low[self.nonblank])), float(np.median(self.high[self.nonblank]))

    @property
    def background(self) -> Floats:
        """Return the ring's grey of each nonblank image, its darkest 0, its lightest 1."""
        low, high = self.low[self.nonblank], self.high[self.nonblank]
        background: Floats = (self.ring[self.nonblank] - low) / (high - low)
        return background


def measure(name: str, array: str, x_NSS: Floats) -> Part:
    """Return the statistics of each image of a part."""
    edges = x_NSS[:, 0], x_NSS[:, -1], x_NSS[:, 1:-1, 0], x_NSS[:, 1:-1, -1]
    ring = np.concatenate(edges, axis=1).mean(axis=1, dtype=np.float32)
    return Part(name=name, array=array, low=x_NSS.min((1, 2)), high=x_NSS.max((1, 2)), ring=ring)


def contradiction(train: Part, test: Part, scale: Scale) -> str | None:
    """Return how training and test images contradict each other, and a remedy; None if they agree.

    `scale` is the one that holds the greys of all images together.
    """
    one, other = train.typical, test.typical
    if one is None or other is None:
        return None
    contrasts = sorted((_contrast(one), _contrast(other)))
    differ = _scale_of(one) != _scale_of(other) or contrasts[1] >= ANOTHER_UNIT * contrasts[0]
    if differ and _distance(one, other) >= APART * (scale[1] - scale[0]):
        return (
            f"a typical image of x_train has greys from {_span(one)}, one of x_test from"
            f" {_span(other)}: expected one scale for both; bring them to the same"
        )
    if scale == SCALES[2] and _scale_of(one) != scale and _scale_of(other) != scale:
        return (
            f"a typical image has greys from {_span(one)}, but others reach"
            f" {max(train.high.max(), test.high.max()):g}: expected one scale for all images, 0 to"
            " 255, 0 to 1 or -1 to 1; bring them to the same, or clip what leaves it"
        )
    typical = {part.array: float(np.median(part.background)) for part in (train, test)}
    if min(typical.values()) < DARK and max(typical.values()) > LIGHT:
        words = [f"{name} is {'dark' if b < DARK else 'light'}" for name, b in typical.items()]
        return (
            f"the background of {' and that of '.join(words)}: expected the same in both; invert"
            " one (the network takes the lowest grey as background)"
        )
    return None


def scale_warnings(train: Part, test: Part, scale: Scale) -> Iterator[str]:
    """Yield warnings of images that are blank or seem to be on another scale than `scale`."""
    width = scale[1] - scale[0]
    typical = [(part, part.typical) for part in (train, test)]
    for part, span in typical:
        blank = int(np.sum(~part.nonblank))
        if blank:
            yield f"{count_phrase(blank, part)} blank (all pixels are equal)"
        if span is None:
            continue
        contrasts = part.high - part.low
        pale = int(np.sum(part.nonblank & (contrasts < BLANK * _contrast(span))))
        if pale:
            yield (
                f"{count_phrase(pale, part)} nearly blank, with less than {BLANK:.0%} of the"
                " contrast of the others: perhaps they are on another grey scale"
            )
        if scale == SCALES[1] and span[0] <= scale[0] / 2:
            above = int(np.sum(part.nonblank & (part.low >= -OVERSHOOT)))
            if above:
                yield (
                    f"{count_phrase(above, part)} without any grey below 0, where a typical one"
                    f" begins at {span[0]:.3g}: perhaps they are on a scale of 0 to 1"
                )
    spans = [span for _, span in typical if span is not None]
    if spans and all(_contrast(span) < FAINT * width for span in spans):
        yield (
            f"a typical image has greys from {_span(spans[0])} only, and was taken to be on a scale"
            f" of {_span(scale)}: bring them to the whole of it if that is not meant"
        )
    elif spans and scale == SCALES[1] and all(low >= -OVERSHOOT for low, _ in spans):
        yield (
            f"a typical image has greys from {_span(spans[0])}, and was taken to be on a scale of"
            " -1 to 1 as some others go below 0: clip those if that is not meant"
        )
    if len(spans) == 2 and _distance(spans[0], spans[1]) >= APART * width:
        yield (
            f"a typical training image has greys from {_span(spans[0])}, a test image from"
            f" {_span(spans[1])}"
        )


def background_warnings(train: Part, test: Part) -> Iterator[str]:
    """Yield warnings of images whose background differs from the network's or from the others'."""
    for part in (train, test):
        background = part.background
        if not background.size:
            continue
        typical = float(np.median(background))
        light, dark = int(np.sum(background > LIGHT)), int(np.sum(background < DARK))
        mixed = min(light, dark) >= MIXED * len(background)
        odd = light if typical < DARK else dark if typical > LIGHT else 0
        if mixed and not odd:  # about half and half
            odd = min(light, dark)
        if odd:
            now, usual = ("light", "dark") if odd == light else ("dark", "light")
            yield f"{count_phrase(odd, part)} on a {now} background, the others on a {usual} one"
    backgrounds = [np.median(part.background) for part in (train, test) if part.nonblank.any()]
    if backgrounds and min(backgrounds) > LIGHT:
        yield (
            "images are dark on a light background: the network of 1989 takes the lowest grey as"
            " background; invert them"
        )


def _scale_of(span: Scale) -> Scale:
    """Return the narrowest scale that holds a typical image, up to the overshoot of resampling."""
    for low, high in SCALES[:2]:
        slack = OVERSHOOT * (high - low)
        if low - slack <= span[0] and span[1] <= high + slack:
            return low, high
    return SCALES[2]


def _contrast(span: Scale) -> float:
    return span[1] - span[0]


def _distance(one: Scale, other: Scale) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _span(span: Scale) -> str:
    return f"{span[0]:.3g} to {span[1]:.3g}"


def count_phrase(n: int, part: Part) -> str:
    """Return a number of a part's images as words up to the verb: "3 of 100 test images are"."""
    if len(part.low) == 1:
        return f"the only {part.name} image is"
    whole = "all" if n == len(part.low) else f"{n:,} of"
    return f"{whole} {len(part.low):,} {part.name} images {'is' if n == 1 else 'are'}"
