"""Checks of the grey scale and the background of a user's own images.

Pure functions of arrays. All statistics are medians over images or counts of them, so that ten
images can be judged as well as 70,000, and one odd image decides nothing.

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
OVERSHOOT = 0.05  # of a scale, by which resampled images may leave it
APART = 0.4  # of the scale: by so much the typical images of two parts may not differ
ANOTHER_UNIT = 10.0  # nor may one have so many times the contrast of the other
BLANK = 1 / 20  # of the typical contrast: an image with less shows next to nothing
FAINT = 1 / 4  # of the scale: typical images with less contrast may be on another scale
MIXED = 1 / 4  # of the images on either background: neither is the usual one (assumed)
DARK, LIGHT = 1 / 3, 2 / 3  # of an image's own contrast: backgrounds below and above


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The training or the test images as they are in the file, with what each image looks like."""

    name: str  # "training" or "test"
    array: str  # "x_train" or "x_test"
    low: Floats
    high: Floats
    ring: Floats  # mean grey of the outermost pixels

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Mark the images that show anything: not all their pixels are equal."""
        return self.high > self.low

    @property
    def typical(self) -> Scale | None:
        """Return the darkest and lightest grey of a typical image; None if all are blank."""
        if not self.shown.any():
            return None
        return float(np.median(self.low[self.shown])), float(np.median(self.high[self.shown]))

    @property
    def background(self) -> Floats:
        """Place the ring of each image that is not blank from its darkest (0) to lightest (1)."""
        low, high = self.low[self.shown], self.high[self.shown]
        background: Floats = (self.ring[self.shown] - low) / (high - low)
        return background


def look(name: str, array: str, x_NSS: Floats) -> Part:
    """Measure each image of a part."""
    edges = x_NSS[:, 0], x_NSS[:, -1], x_NSS[:, 1:-1, 0], x_NSS[:, 1:-1, -1]
    ring = np.concatenate(edges, axis=1).mean(axis=1, dtype=np.float32)
    return Part(name=name, array=array, low=x_NSS.min((1, 2)), high=x_NSS.max((1, 2)), ring=ring)


def contradiction(train: Part, test: Part, scale: Scale) -> str | None:
    """Say how training and test images contradict each other, and what to do; None if not.

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
    papers = {part.array: float(np.median(part.background)) for part in (train, test)}
    if min(papers.values()) < DARK and max(papers.values()) > LIGHT:
        words = [f"{name} is {'dark' if b < DARK else 'light'}" for name, b in papers.items()]
        return (
            f"the background of {' and that of '.join(words)}: expected the same in both; invert"
            " one (the network takes the lowest grey as background)"
        )
    return None


def odd_scale(train: Part, test: Part, scale: Scale) -> Iterator[str]:
    """Warn of images that are blank, or look as if they were on another scale than was taken."""
    width = scale[1] - scale[0]
    typical = [(part, part.typical) for part in (train, test)]
    for part, span in typical:
        blank = int(np.sum(~part.shown))
        if blank:
            yield f"{of(blank, part)} blank (all pixels are equal)"
        if span is None:
            continue
        contrasts = part.high - part.low
        pale = int(np.sum(part.shown & (contrasts < BLANK * _contrast(span))))
        if pale:
            yield (
                f"{of(pale, part)} nearly blank, with less than {BLANK:.0%} of the contrast of the"
                " others: perhaps they are on another grey scale"
            )
        if scale == SCALES[1] and span[0] <= scale[0] / 2:
            above = int(np.sum(part.shown & (part.low >= -OVERSHOOT)))
            if above:
                yield (
                    f"{of(above, part)} without any grey below 0, where a typical one begins at"
                    f" {span[0]:.3g}: perhaps they are on a scale of 0 to 1"
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


def odd_background(train: Part, test: Part) -> Iterator[str]:
    """Warn of images whose background is not the network's, or not that of the others."""
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
            yield f"{of(odd, part)} on a {now} background, the others on a {usual} one"
    backgrounds = [np.median(part.background) for part in (train, test) if part.shown.any()]
    if backgrounds and min(backgrounds) > LIGHT:
        yield (
            "images are dark on a light background: the network of 1989 takes the lowest grey as"
            " background; invert them"
        )


def _scale_of(span: Scale) -> Scale:
    """Find the narrowest scale that holds a typical image, but for what resampling adds."""
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


def of(n: int, part: Part) -> str:
    """Say how many images of a part, up to the verb: "3 of 100 test images are"."""
    if len(part.low) == 1:
        return f"the only {part.name} image is"
    whole = "all" if n == len(part.low) else f"{n:,} of"
    return f"{whole} {len(part.low):,} {part.name} images {'is' if n == 1 else 'are'}"
