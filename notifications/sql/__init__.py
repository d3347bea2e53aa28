"""SQL that is longer than a line, a file each; `/* name(args) */` in one stands for the fragment `_name.sql`."""

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
_INCLUDE = re.compile(r"/\* (?P<name>\w+)\((?P<arguments>[\w, ]*)\) \*/")


@cache
def load(name: str) -> str:
    """The statement in `<name>.sql`, its fragments filled in. Nothing but our own files ever gets into it."""
    return _INCLUDE.sub(_fragment, (_FOLDER / f"{name}.sql").read_text())


@cache
def load_for_many(name: str) -> str:
    """The statement in `<name>.sql`, which is for one viewer, for each of `viewer_ids` (and the positions `held`).

    One plan, one round trip, and the very same rule; each row says by `place`, from 1, whose it is.
    """
    statement = load(name).replace("%(viewer_id)s", "viewer.id").replace("%(positions)s", "viewer.positions")
    viewers = "unnest(%(viewer_ids)s::bigint[], %(held)s::jsonb[]) WITH ORDINALITY AS viewer (id, positions, place)"
    return f"SELECT viewer.place, answer.* FROM {viewers} CROSS JOIN LATERAL (\n{statement}\n) AS answer"  # noqa: S608


def _fragment(include: re.Match[str]) -> str:
    """A fragment's text; its first line `-- fragment(a, b)` names the aliases that the arguments replace.

    They are replaced where a column follows, and in the arguments of fragments within the fragment.
    """
    declaration, _, text = (_FOLDER / f"_{include['name']}.sql").read_text().partition("\n")
    parameters = re.findall(r"\w+", declaration.partition("(")[2])
    for parameter, argument in zip(parameters, re.findall(r"\w+", include["arguments"]), strict=True):
        text = re.sub(rf"\b{parameter}(?=\.|, \w+[,)]|\) \*/)", argument, text)
    return _INCLUDE.sub(_fragment, text).strip()
