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


def _fragment(include: re.Match[str]) -> str:
    """A fragment's text; its first line `-- fragment(a, b)` names the aliases that the arguments replace."""
    declaration, _, text = (_FOLDER / f"_{include['name']}.sql").read_text().partition("\n")
    parameters = re.findall(r"\w+", declaration.partition("(")[2])
    for parameter, argument in zip(parameters, re.findall(r"\w+", include["arguments"]), strict=True):
        text = re.sub(rf"\b{parameter}\.", f"{argument}.", text)
    return _INCLUDE.sub(_fragment, text).strip()
