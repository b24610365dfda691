"""Figures: percentiles, ratios and the table that people read. Owns no measurement."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

Figures = Mapping[str, object]


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that `percent` of 100 of them do not exceed (nearest rank). Raises ValueError for none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values, no percentile")
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


def spread(values: Sequence[float], prefix: str = "") -> dict[str, float]:
    """p50, p99 and the worst of some milliseconds."""
    found = {"p50_ms": percentile(values, 50), "p99_ms": percentile(values, 99), "max_ms": max(values)}
    return {prefix + name: round(value, 2) for name, value in found.items()}


def merged(rounds: Sequence[Figures]) -> dict[str, object]:
    """Several rounds as one: samples (tuples of milliseconds) pooled, the mean of numbers, differing counts listed.

    What is called `peak_mib` is kept round by round, so that growth can be seen.
    """
    found: dict[str, object] = {}
    for name, first in rounds[0].items():
        values = [figures[name] for figures in rounds]
        if name == "peak_mib":
            found |= {f"peak_mib_{number}": value for number, value in enumerate(values, start=1)}
        elif isinstance(first, Mapping):
            found[name] = merged(values)  # type: ignore[arg-type]
        elif isinstance(first, tuple):
            found |= spread([sample for value in values for sample in value], name.removesuffix("ms"))  # type: ignore[attr-defined]
        elif isinstance(first, int):
            found[name] = first if len(set(values)) == 1 else "/".join(map(str, values))
        else:
            found[name] = round(sum(values) / len(values), 3)  # type: ignore[arg-type]
    return found


def ratio(ours: Figures, floor: Figures, names: Mapping[str, str]) -> dict[str, float]:
    """Ours ÷ floor for `{name in the ratio: name in the figures}`; what one side lacks is left out."""
    pairs = {name: (ours.get(figure), floor.get(figure)) for name, figure in names.items()}
    return {
        name: round(one / other, 3)
        for name, (one, other) in pairs.items()
        if isinstance(one, int | float) and isinstance(other, int | float) and other
    }


def table(results: Mapping[str, Mapping[str, Figures]]) -> list[str]:
    """One line per figure: measure, figure, ours, floor, ours ÷ floor."""
    rows = [("", "", "ours", "floor", "ratio")]
    for measure, sides in results.items():
        ours, floor = flat(sides["ours"]), flat(sides["floor"])
        quotients = ratio(ours, floor, {name: name for name in ours})
        for name in dict.fromkeys([*ours, *floor]):
            quotient = f"{quotients[name]:.2f}" if name in quotients else ""
            rows.append((measure, name, _words(ours.get(name)), _words(floor.get(name)), quotient))
            measure = ""  # noqa: PLW2901 (said once per block)
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return ["  ".join(_aligned(row, widths)).rstrip() for row in rows]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Words to the left, figures to the right."""
    return [
        f"{cell:<{width}}" if column < 2 else f"{cell:>{width}}"
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def flat(figures: Figures, prefix: str = "") -> dict[str, object]:
    """`{"cpu": {"web": 1}}` as `{"cpu.web": 1}`."""
    found: dict[str, object] = {}
    for name, value in figures.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found


def _words(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
