"""List the analyses of plans that were stored before plans named them (2026-11-28)."""

from collections.abc import Mapping

from scaling.analyses import (
    FEWER_TRICKS,
    SMALLEST_WIDTH,
    Analysis,
    Compare,
    Epochs,
    Factorial,
    Interaction,
    Ladder,
    ScalingCurve,
    Screening,
)
from scaling.recipes.ladder import MODERN

# The same as in the studies of these names in jobs/studies; a test compares them.
READ_AS: Mapping[str, tuple[Analysis, ...]] = {
    "ablation": (Factorial(),),
    "best": (
        Compare(
            to=MODERN,
            title="The best recipe",
            against="the recipe of 2022 (all tricks)",
        ),
    ),
    "data": (ScalingCurve(),),
    "epochs": (Epochs(),),
    "grid": (
        Compare(
            to="1989",
            axis="n_train",
            title="The grid",
            against="the recipe of 1989 at the same size and width",
        ),
        Interaction("width", "n_train"),
    ),
    "ladder": (Ladder(),),
    "million": (ScalingCurve(),),
    "negative": (
        Compare(
            to=FEWER_TRICKS,
            title="Tricks that do not help",
            against="the same recipe without the trick",
        ),
    ),
    "norms": (
        Compare(
            to=MODERN,
            axis="n_macs",
            title="Norms and residual connections",
            against="the recipe of 2022 (all tricks) at the same width",
        ),
    ),
    "quickstart": (ScalingCurve(),),
    "revisit": (
        Compare(
            to=MODERN,
            title="The revisit of 2025",
            against="the recipe of 2022 (all tricks)",
        ),
    ),
    "screening": (Screening(),),
    "transfer": (
        Compare(
            to="scratch",
            axis="n_train",
            title="Transfer from MNIST to zip codes",
            against="training from scratch",
        ),
    ),
    "width": (
        Compare(
            to=SMALLEST_WIDTH,
            axis="n_macs",
            title="Width",
            against="the same recipe at the smallest width",
        ),
    ),
    "zipcode": (Ladder(title="Zip codes", compare_to="1989"),),
}
