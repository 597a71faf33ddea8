"""Past growth carried on to 2055, as scenarios with backtests.

A trend is a straight line in log scale from a source of its own. It is carried on to 2055 from the
network of 2021 and, as a backtest, to that network from the one of 1989. Most trends were fitted to
some of the tested years; `seen` is their share, and only a trend with a share of 0 has a real test.
Such tests are cited: log-linear fits to systems before 1990. Everything is in orders of magnitude
(OOM, log10).
"""

import math
from dataclasses import dataclass

from analysis.reference.facts import Fact, Rate, fact

THEN, NOW, AHEAD = 1989.0, 2022.0, 2055.0
BEFORE = 1990  # the cited backtest is of fits to earlier systems
NETWORK, NETWORK_NAME = 2021.0, "ViT-G/14"  # stands for the networks of the write-up's 2022


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """A trend from 1989 on against the actual value: `missed` is log10 of actual / projected."""

    projected: float
    actual: float
    missed: float
    inside: bool | None  # of the interval of the slope; None where the source has none
    seen: float | None  # share of the tested years that the trend was fitted to


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One trend carried on to 2055, with its backtest."""

    name: str
    years: str
    source: str
    rate: Rate
    value: float
    low: float | None
    high: float | None
    test: Backtest
    drawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedBacktest:
    """The backtest by systems before 1990: the median miss, and the coverage of intervals.

    The source gives the miss with a plus sign: the actual value exceeded the forecast (assumed, as
    the one trend here that ends before deep learning falls short as well).
    """

    missed: float
    coverage: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One quantity: its values in 1989 and 2021, and its scenarios."""

    name: str
    unit: str
    then: float
    now: float
    scenarios: tuple[Scenario, ...]
    cited: CitedBacktest
    claimed: float | None  # by the write-up, for 2055


NAMES = {
    "trend_params_vision_ours": "vision systems",
    "trend_params_notable_ours": "notable systems",
    "trend_data_vision_villalobos": "vision data sets (Villalobos)",
    "trend_data_vision_ours": "vision systems",
    "trend_compute_notable_ours": "notable systems",
    "trend_compute_vision_ours": "vision systems",
    "trend_naive_speedup_1989_2022": "3 days to 90 s, once more",
    "trend_gpu_price_perf": "GPUs, FLOP/s a dollar",
    "trend_gpu_price_perf_ML": "GPUs for machine learning, FLOP/s a dollar",
    "trend_gpu_price_perf_top": "fastest GPUs, FLOP/s a dollar",
    "trend_gpu_price_perf_ours": "all GPUs at list price, FLOP/s a dollar",
    "trend_cpu_price_perf": "CPUs, FLOP/s a dollar",
    "trend_algo_vision": "less compute for the same error (vision)",
}
QUANTITIES = {  # name: unit, the fact of 1989, that of 2021, trends, whether they are drawn
    "parameters": (
        "parameters",
        "params",
        "params_ViT_G14",
        (
            ("trend_params_vision_ours", "1989-2022.3", True),
            ("trend_params_notable_ours", "1989-2022.3", False),
            ("trend_params_vision_ours", "2010-2026", True),
            ("trend_params_notable_ours", "2010-2026", False),
        ),
    ),
    "data": (
        "images",
        "train_images",
        "train_images_ViT_G14",
        (
            ("trend_data_vision_villalobos", "1990-2022", True),
            ("trend_data_vision_ours", "1989-2022.3", True),
            ("trend_data_vision_ours", "2010-2026", True),
        ),
    ),
    "compute": (
        "FLOP",
        "train_flop_correct",
        "train_flop_ViT_G14",
        (
            ("trend_compute_notable_ours", "1952-2010", True),
            ("trend_compute_vision_ours", "1989-2022.3", True),
            ("trend_compute_notable_ours", "1989-2022.3", False),
            ("trend_compute_vision_ours", "2010-2026", True),
            ("trend_compute_notable_ours", "2010-2026", False),
        ),
    ),
}
HARDWARE = (  # trend and whether it is drawn, slowest first
    ("trend_gpu_price_perf_ours", True),
    ("trend_gpu_price_perf_top", False),
    ("trend_naive_speedup_1989_2022", True),
    ("trend_gpu_price_perf", False),
    ("trend_cpu_price_perf", False),
    ("trend_gpu_price_perf_ML", True),
)


def growth_outlooks() -> list[Growth]:
    """Return parameters, data and compute: every trend with its backtest."""
    found = []
    for name, (unit, first, last, trends) in QUANTITIES.items():
        then, now = fact(first).value, fact(last).value
        found.append(
            Growth(
                name=name,
                unit=unit,
                then=then,
                now=now,
                scenarios=tuple(
                    _scenario(fact(trend, years), then, now, drawn)
                    for trend, years, drawn in trends
                ),
                claimed=None if name == "compute" else now * fact("claim_2055_data_model").value,
                cited=CitedBacktest(
                    missed=fact(f"backtest33_median_{_short(name)}").value,
                    coverage=fact(f"backtest33_coverage_{_short(name)}").value,
                    source=fact(f"backtest33_coverage_{_short(name)}").source,
                ),
            )
        )
    return found


def project(value: float, rate: float, years: float) -> float:
    """Return the value after so many years at a rate."""
    return float(value * 10 ** (rate * years))


def backtest_trend(found: Fact, then: float, now: float, years: float, sign: int = 1) -> Backtest:
    """Return the backtest of a trend from 1989 on; with sign -1 the quantity falls."""
    rate = found.rate
    ends = [
        None if end is None else project(then, sign * end, years) for end in (rate.low, rate.high)
    ]
    low, high = ends
    projected = project(then, sign * rate.value, years)
    inside = None
    if low is not None and high is not None:
        inside = min(low, high) <= now <= max(low, high)
    return Backtest(
        projected=projected,
        actual=now,
        missed=math.log10(now / projected),
        inside=inside,
        seen=_seen(found.years, THEN, THEN + years),
    )


def _scenario(found: Fact, then: float, now: float, drawn: bool) -> Scenario:
    rate, ahead = found.rate, AHEAD - NETWORK
    return Scenario(
        name=NAMES[found.quantity],
        years=found.year,
        source=found.source,
        rate=rate,
        value=project(now, rate.value, ahead),
        low=None if rate.low is None else project(now, rate.low, ahead),
        high=None if rate.high is None else project(now, rate.high, ahead),
        test=backtest_trend(found, then, now, NETWORK - THEN),
        drawn=drawn,
    )


def _seen(fitted: tuple[float, float] | None, start: float, end: float) -> float | None:
    if fitted is None:
        return None
    shared = min(fitted[1], end) - max(fitted[0], start)
    return max(0.0, shared) / (end - start)


def _short(name: str) -> str:
    return "params" if name == "parameters" else name
