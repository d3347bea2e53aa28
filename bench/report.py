"""What a scenario reports: rows with a goal, the machine they were measured on, as JSON and as a table."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. `met` is None where nothing was promised, or the baseline is not installed."""

    scenario: str
    metric: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    goal: str | None = None
    met: bool | None = None


def row_within(*, scenario: str, metric: str, value: float, unit: str, at_most: float) -> Row:
    """A row whose value may not exceed `at_most`."""
    return Row(
        scenario=scenario,
        metric=metric,
        value=round(value, 2),
        unit=unit,
        goal=f"<= {at_most:g} {unit}",
        met=value <= at_most,
    )


def row_ratio(*, scenario: str, metric: str, value: float, unit: str, baseline: float | None, at_least: float) -> Row:
    """A row whose value must be `at_least` times its baseline; without a baseline nothing is judged."""
    ratio = value / baseline if baseline else None
    return Row(
        scenario=scenario,
        metric=metric,
        value=round(value, 2),
        unit=unit,
        baseline=None if baseline is None else round(baseline, 2),
        ratio=None if ratio is None else round(ratio, 2),
        goal=f">= {at_least:g} x baseline",
        met=None if ratio is None else ratio >= at_least,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest value that `percent` of all do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def machine() -> dict[str, str | int]:
    """Processor, cores, memory and versions: what a figure means depends on them."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def as_json(rows: Sequence[Row]) -> str:
    """`{machine, rows}` as the documented JSON."""
    return json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=2) + "\n"


def as_table(rows: Sequence[Row], form: Literal["text", "markdown"] = "text") -> str:
    """The rows for reading."""
    head = ("scenario", "metric", "value", "baseline", "ratio", "goal", "met")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in cells]
    if form == "markdown":
        lines.insert(1, ["-" * width for width in widths])
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    return "\n".join("  ".join(line).rstrip() for line in lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: ""}[row.met]
    baseline = "" if row.baseline is None else f"{row.baseline:g} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return (row.scenario, row.metric, f"{row.value:g} {row.unit}", baseline, ratio, row.goal or "", met)
