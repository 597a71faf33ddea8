"""Synthetic handwritten digits: pen strokes of simulated writers, used where MNIST is unavailable.

An image is a pure function of (seed, index): each random number is a hash of (seed, image or
writer, draw number), so an image does not depend on other images or on their order. Only + - * /
and sqrt are used, without fastmath: IEEE 754 rounds them exactly, so that the pixels depend on no
mathematical library either (assumed for machines other than x86-64).

A writer owns IMAGES_PER_WRITER neighbouring indices and has a hand: a preferred form of each digit
(scaling/data/glyphs.py), its own shape of each form, and the values of STYLE. An image varies
around its writer's hand, is fitted into a box as NIST's digits were, and is inked by the distance
of each pixel to the nearest stroke.

Shapes: style (K, 3), hand (K,), a form's points (P, 2) and ends (S + 1,) of S strokes, path (V, 3),
depth and out (16, 16). Units: heights of the digit up to `_fit`, pixels from there on.
"""

import numpy as np
from numpy.typing import NDArray

from scaling.data import glyphs
from scaling.data.splitmix import Key, hash64, jit, normal, uniform

VERSION = 1  # part of every identity: raise it when any pixel changes
SEED = 1989
TRAIN_START, TEST_START, VALIDATION_START = 0, 2**40, 2**41
IMAGES_PER_WRITER = 100  # assumed: writers of NIST's forms wrote about as many digits
SIZE = 16  # pixels

# The two random streams of a seed, and the first number of each kind of draw (without overlaps).
IMAGES, WRITERS = 1, 2
LABEL, FAITH, FORM, ENDS, HAND, GRAIN, POINTS = 0, 1, 2, 16, 32, 64, 128

# A hand: mean, standard deviation between writers, and between the images of a writer. Assumed,
# then calibrated. Measured errors of the 1989 recipe (width 1, 10,000 test images) at 911, 7,291
# and 50,000 training images: 10.0, 3.4, 1.9 %; of the same code on MNIST: 8.9, 3.7, 2.8 %.
STYLE = np.array(
    [
        (0.15, 0.21, 0.06),  # SLANT     to the right, per height
        (0.00, 0.06, 0.06),  # TILT      of the base line
        (1.00, 0.18, 0.08),  # WIDTH     times that of the form
        (0.00, 0.15, 0.12),  # BOW       of uprights
        (0.00, 0.20, 0.12),  # SAG       of horizontals
        (0.00, 0.20, 0.10),  # TAPER     wider at the foot than at the top
        (0.00, 0.14, 0.08),  # BALANCE   lower half larger than the upper
        (11.5, 0.50, 0.50),  # BOX       its longer side, pixels
        (0.00, 0.00, 0.50),  # RIGHT     of the middle, pixels
        (0.00, 0.00, 0.50),  # DOWN      of the middle, pixels
        (0.82, 0.17, 0.08),  # PEN       radius, pixels
        (0.00, 0.20, 0.20),  # PRESSURE  the pen's growth along a stroke
        (1.40, 0.15, 0.10),  # BLUR      width of an edge, pixels
        (0.01, 0.02, 0.02),  # LIFT      by which strokes begin late and end early
        (1.00, 0.26, 0.22),  # HASTE     squared, times all wobble: a long tail of bad writing
    ]
)
SLANT, TILT, WIDTH, BOW, SAG, TAPER, BALANCE, BOX, RIGHT, DOWN, PEN = range(11)
PRESSURE, BLUR, LIFT, HASTE = range(11, 15)

# Assumed, calibrated as above.
SHAPE, WOBBLE = 0.041, 0.027  # displacement of control points by writers and by images
FAITHFUL = 0.85  # share of a writer's images in the preferred form
ROUGHNESS = 0.35  # of edges, pixels
CHORDS = 4  # straight pieces of an arc: more are invisible at 16 pixels

_TABLES = glyphs.tables()

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@jit
def _choose_form(image: Key, writer: Key, label: int, forms: glyphs.Tables) -> int:
    chooser = writer if uniform(image, FAITH) < FAITHFUL else image
    u, form, last = uniform(chooser, FORM + label), forms.first[label], forms.first[label + 1] - 1
    while form < last and u >= forms.shares[form]:
        form += 1
    return int(form)


@jit
def _take_hand(image: Key, writer: Key, style: Floats, hand: Floats) -> None:
    for k in range(len(style)):
        mean, between, within = style[k]
        hand[k] = mean + between * normal(writer, HAND + k) + within * normal(image, HAND + k)


@jit
def _wobble(image: Key, shape: Key, haste: float, form: Floats, out: Floats) -> None:
    """Displace control points: the same way for a writer's `shape` of the form, anew per image."""
    for i in range(len(form)):
        for k in range(2):
            draw = POINTS + 2 * i + k
            habit, slip = SHAPE * normal(shape, draw), WOBBLE * haste * normal(image, draw)
            out[i, k] = form[i, k] + habit + slip


@jit
def _lift(image: Key, haste: float, lift: float, ends: Ints, points: Floats) -> None:
    """Begin and end strokes late or early, so that loops gape or overlap and strokes miss."""
    for s in range(len(ends) - 1):
        first, last = ends[s], ends[s + 1] - 1
        if last < first:  # padding
            break
        for end, inner, draw in ((first, first + 1, 2 * s), (last, last - 1, 2 * s + 1)):
            dx, dy = points[inner, 0] - points[end, 0], points[inner, 1] - points[end, 1]
            length = np.sqrt(dx * dx + dy * dy + 1e-4)  # 1e-4: of a leg of no length
            share = min(0.5, (lift + WOBBLE * haste * normal(image, ENDS + draw)) / length)
            points[end, 0] += share * dx
            points[end, 1] += share * dy


@jit
def _bend(points: Floats, hand: Floats) -> None:
    """Slant and warp the plane, a quadratic map."""
    for i in range(len(points)):
        x, y = points[i, 0] * hand[WIDTH], points[i, 1]
        points[i, 0] = x - hand[SLANT] * y + hand[BOW] * y * y + hand[TAPER] * x * y
        points[i, 1] = y + hand[TILT] * x + hand[SAG] * x * x + hand[BALANCE] * y * y


@jit
def _trace(points: Floats, ends: Ints, path: Floats) -> int:
    """Fill rows of (x, y, place in the stroke: 0 pen down .. 1 pen up) and return their number."""
    n = 0
    for s in range(len(ends) - 1):
        first, last = ends[s], ends[s + 1] - 1
        arcs = last - first - 1  # one an inner point, from midpoint to midpoint
        for i in range(arcs):
            at = first + 1 + i
            for chord in range(0 if i == 0 else 1, CHORDS + 1):
                t = chord / CHORDS
                for k in range(2):
                    pull, a, b = points[at, k], points[at - 1, k], points[at + 1, k]
                    a = a if i == 0 else (a + pull) / 2
                    b = b if i == arcs - 1 else (b + pull) / 2
                    path[n, k] = (1 - t) * (1 - t) * a + 2 * t * (1 - t) * pull + t * t * b
                path[n, 2] = (i + t) / arcs
                n += 1
    return n


@jit
def _fit(path: Floats, hand: Floats) -> None:
    """Scale the bounding box from heights to pixels, keeping its proportions, and centre it."""
    left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
    for x, y, _ in path:
        left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
    scale, middle = hand[BOX] / max(right - left, bottom - top), (SIZE - 1) / 2
    for i in range(len(path)):
        path[i, 0] = (path[i, 0] - (left + right) / 2) * scale + middle + hand[RIGHT]
        path[i, 1] = (path[i, 1] - (top + bottom) / 2) * scale + middle + hand[DOWN]


@jit
def _draw(path: Floats, hand: Floats, depth: Floats) -> None:
    """Fill in each pixel's depth inside the strokes; it is negative outside."""
    depth[:] = -SIZE
    for i in range(1, len(path)):
        place = path[i, 2]
        if place == 0:  # the pen was lifted
            continue
        x0, y0, x1, y1 = path[i - 1, 0], path[i - 1, 1], path[i, 0], path[i, 1]
        dx, dy = x1 - x0, y1 - y0
        inverse = 1 / (dx * dx + dy * dy + 1e-9)  # 1e-9: of a chord of no length
        radius = hand[PEN] * (1 + hand[PRESSURE] * (place - 0.5))
        reach = radius + hand[BLUR] / 2 + ROUGHNESS
        top, bottom = max(0, int(min(y0, y1) - reach)), min(SIZE, int(max(y0, y1) + reach) + 1)
        left, right = max(0, int(min(x0, x1) - reach)), min(SIZE, int(max(x0, x1) + reach) + 1)
        for y in range(top, bottom):
            for x in range(left, right):
                t = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) * inverse))
                u, v = x - x0 - t * dx, y - y0 - t * dy  # from the nearest point of the chord
                depth[y, x] = max(depth[y, x], radius - np.sqrt(u * u + v * v))


@jit
def _ink(image: Key, depth: Floats, blur: float, out: Bytes) -> None:
    """Fill in the greys of depths: edges are soft and rough, the paper stays exactly 0."""
    for r in range(SIZE):
        for c in range(SIZE):
            word, byte = divmod(r * SIZE + c, 8)
            grain = hash64(image, GRAIN + word) >> np.uint64(8 * byte) & np.uint64(0xFF)
            edge = depth[r, c] + ROUGHNESS * (float(grain) / 255 - 0.5)
            t = min(1.0, max(0.0, 0.5 + edge / blur))
            out[r, c] = np.uint8(255 * t * t * (3 - 2 * t) + 0.5)


@jit
def _render(
    seed: Key, start: int, style: Floats, forms: glyphs.Tables, images: Bytes, labels: Bytes
) -> None:
    n_points = forms.points.shape[1]
    hand, control = np.empty(len(style)), np.empty((n_points, 2))
    vertices, depth = np.empty((n_points * (CHORDS + 1), 3)), np.empty((SIZE, SIZE))
    for i in range(len(images)):
        image = hash64(hash64(seed, IMAGES), start + i)
        writer = hash64(hash64(seed, WRITERS), (start + i) // IMAGES_PER_WRITER)
        label = int(10 * uniform(image, LABEL))
        form = _choose_form(image, writer, label, forms)
        ends = forms.ends[form]
        points, shape = control[: ends[-1]], hash64(writer, POINTS + form)
        _take_hand(image, writer, style, hand)
        haste = hand[HASTE] * hand[HASTE]
        _wobble(image, shape, haste, forms.points[form, : ends[-1]], points)
        _lift(image, haste, hand[LIFT], ends, points)
        _bend(points, hand)
        path = vertices[: _trace(points, ends, vertices)]
        _fit(path, hand)
        _draw(path, hand, depth)
        _ink(image, depth, hand[BLUR], images[i])
        labels[i] = label


def render(start: int, count: int, seed: int = SEED) -> tuple[Bytes, Bytes]:
    """Return images (count, 16, 16) and labels (count,), uint8, of the indices from `start` on.

    Units: grey, 0 is paper and 255 ink.
    Raises ValueError where start or count is negative, or an index does not fit 63 bits.
    """
    if start < 0 or count < 0:
        raise ValueError(f"start and count must be 0 or more, got start={start}, count={count}")
    if start + count >= 2**63:
        raise ValueError(f"indices must lie below 2**63, got start={start}, count={count}")
    images, labels = np.empty((count, SIZE, SIZE), np.uint8), np.empty(count, np.uint8)
    _render(np.uint64(seed % 2**64), start, STYLE, _TABLES, images, labels)
    return images, labels
