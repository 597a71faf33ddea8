"""Test models whose bits may differ, by pairs with the stored ones, over at least 20 seeds."""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.effects.decision_rules import (
    FAILS,
    HOLDS,
    LEAST_PAIRS,
    UNVERIFIABLE,
    reproduction,
)
from analysis.stats.holm import holm
from analysis.stats.sign_flip import SignFlipTest, sign_flip_test
from jobs.verifying.retrain import Retrainer, Undecided
from scaling.progress import duration
from scaling.verifying.again import Lot

EXTRA_S = 300.0  # assumed: the time for more seeds where --sample is not given

NAMED = 3  # models in a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The result of the paired test on some models of one engine; `p` is corrected by Holm."""

    engine: str
    cells: tuple[str, ...]
    models: tuple[str, ...]
    files: tuple[str, ...]
    reasons: tuple[str, ...]
    equal: int  # models of the engine that came back to the bit
    test: SignFlipTest
    p: float

    @property
    def verdict(self) -> str:
        return reproduction(self.test, self.p)

    @property
    def holds(self) -> bool:
        return self.verdict == HOLDS

    @property
    def fails(self) -> bool:
        return self.verdict == FAILS

    @property
    def unknown(self) -> bool:
        return self.verdict == UNVERIFIABLE

    def __str__(self) -> str:
        cells = self.cells[0] if len(self.cells) == 1 else f"{len(self.cells)} cells"
        named = ", ".join(self.models[:NAMED])
        named += f" and {len(self.models) - NAMED} more" if len(self.models) > NAMED else ""
        equal = f"; {self.equal} others of this engine came back to the bit" if self.equal else ""
        return (
            f"{cells} ({self.engine}): misses of {self.test.n} models changed by"
            f" {self.test.change:+.2%} (99 %: {self.test.low:+.2%} to {self.test.high:+.2%},"
            f" p {self.p:.3g}): {self.verdict}; equal bits are not asked"
            f" of {named}: {'; '.join(self.reasons)}{equal}"
        )


def decide(
    undecided: Sequence[Undecided], able: Sequence[Lot], retrainer: Retrainer, *, bounded: bool
) -> list[Decision]:
    """Test the undecided models, cell by cell where there are 20 of them, else pooled.

    Where they are fewer, more models of the same cells are trained again, then of other cells of
    the same engine; no more than five minutes of them if `bounded`.
    """
    pairs = retrainer.settle(undecided)
    for engine in sorted({_engine(pair) for pair in pairs}):
        of_engine = [lot for lot in able if lot.engine == engine]
        budget = EXTRA_S if bounded else math.inf
        for same in (True, False):
            mine = [pair for pair in pairs if _engine(pair) == engine]
            if more := _more(mine, of_engine, retrainer, budget, same=same):
                seconds = sum(map(retrainer.seconds, more))
                budget -= seconds
                print(
                    f"the paired test needs {LEAST_PAIRS} models, so"
                    f" {sum(len(m.models) for m in more)} more of engine {engine} are trained"
                    f" again: predicted {duration(seconds)}",
                    file=sys.stderr,
                )
                pairs = retrainer.settle([*pairs, *retrainer.train(more)])
    pools = list(_pools(pairs))
    tests = [_test(pool) for pool in pools]
    enough = [i for i, test in enumerate(tests) if test.n >= LEAST_PAIRS]
    corrected = dict(zip(enough, holm([tests[i].p for i in enough]), strict=True))
    return [
        Decision(
            engine=_engine(pool[0]),
            cells=tuple(sorted({_cell(pair) for pair in pool})),
            models=tuple(pair.again.model.run_id for pair in pool),
            files=tuple(pair.again.model.metrics_file for pair in pool),
            reasons=tuple(dict.fromkeys(reason for pair in pool for reason in pair.reasons)),
            equal=sum(again.engine == _engine(pool[0]) for again in retrainer.equal),
            test=tests[i],
            p=corrected.get(i, tests[i].p),
        )
        for i, pool in enumerate(pools)
    ]


def _more(
    pairs: Sequence[Undecided],
    lots: Sequence[Lot],
    retrainer: Retrainer,
    budget: float,
    *,
    same: bool,
) -> list[Lot]:
    """Return lots, the cheapest first, that bring each cell of these pairs to 20 of them.

    Without `same`, lots of other cells that bring all to 20 together.
    """
    have = Counter(map(_cell, pairs))
    cells, chosen = set(have), []
    for lot in sorted(lots, key=retrainer.seconds):
        cell, seconds = lot.cell.cell_id, retrainer.seconds(lot)
        fresh = not any(model.run_id in retrainer.trained for model in lot.models)
        short = (have[cell] if same else have.total()) < LEAST_PAIRS
        if fresh and short and (cell in cells) == same and seconds <= budget:
            chosen.append(lot)
            have[cell] += len(lot.models)
            budget -= seconds
    return chosen


def _pools(pairs: Iterable[Undecided]) -> Iterable[list[Undecided]]:
    """Yield pools of pairs: a cell with enough of them alone, the others with similar cells."""
    cells: dict[tuple[str, str], list[Undecided]] = {}
    for pair in pairs:
        cells.setdefault((_engine(pair), _cell(pair)), []).append(pair)
    for engine in sorted({engine for engine, _ in cells}):
        mine = [group for (of, _), group in cells.items() if of == engine]
        yield from (group for group in mine if len(group) >= LEAST_PAIRS)
        pools: list[list[Undecided]] = [[]]
        for group in sorted((g for g in mine if len(g) < LEAST_PAIRS), key=_likeness):
            if len(pools[-1]) >= LEAST_PAIRS:
                pools.append([])
            pools[-1] = [*pools[-1], *group]
        if len(pools) > 1 and len(pools[-1]) < LEAST_PAIRS:
            pools[-2:] = [[*pools[-2], *pools[-1]]]
        yield from (pool for pool in pools if pool)


def _likeness(group: list[Undecided]) -> tuple[str, str, float, int, str]:
    cell = group[0].again.planned.cell
    return cell.model, cell.recipe.name, cell.width, cell.n_train, cell.cell_id


def _test(pool: list[Undecided]) -> SignFlipTest:
    stored = [pair.again.model.last["test_misses"] for pair in pool]
    return sign_flip_test(stored, [pair.misses for pair in pool], [_cell(pair) for pair in pool])


def _engine(pair: Undecided) -> str:
    return str(pair.again.model.last["engine"])


def _cell(pair: Undecided) -> str:
    return pair.again.planned.cell.cell_id
