"""A bar chart as SVG, which a browser and a repository's page show as it is."""

from collections.abc import Iterable, Mapping
from html import escape

from .report import Row

WIDTH, BAR, GAP, LABEL = 720, 22, 14, 150
_TEXT = 'font-family="sans-serif" font-size="13" fill="#333"'


def bars(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """One group of bars under another, all on one scale; each bar says its value."""
    longest = max((value for group in groups.values() for value in group.values()), default=1.0)
    parts: list[str] = [_text(0, 18, title, weight="bold")]
    y = 44
    for name, group in groups.items():
        parts.append(_text(0, y, name, weight="bold"))
        y += 8
        for label, value in group.items():
            length = (WIDTH - LABEL - 110) * value / longest
            parts.append(_text(0, y + 16, label))
            parts.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{_color(label)}"/>')
            parts.append(_text(LABEL + length + 8, y + 16, f"{value:,.0f}"))
            y += BAR + 4
        y += GAP + 14
    background = f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", background, *parts, "</svg>", ""])


def beside_baselines(title: str, rows: Iterable[Row]) -> str:
    """The rows that have a baseline, each above it; they share a unit."""
    return bars(
        title, {row.metric: {"ours": row.value, "baseline": row.baseline} for row in rows if row.baseline is not None}
    )


def _color(label: str) -> str:
    return "#c2410c" if label == "ours" else "#94a3b8"


def _text(x: float, y: float, text: str, weight: str = "normal") -> str:
    return f'<text x="{x:.0f}" y="{y}" {_TEXT} font-weight="{weight}">{escape(text)}</text>'
