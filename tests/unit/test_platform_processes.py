"""What is started by `make up`, and what in containers."""

import re

import pytest

from ott.embedded.postgres import SETTINGS
from ott.embedded.processes import COMMANDS, PROJECT

COMPOSITION = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
WORKERS = [name for name in COMMANDS if name.startswith("worker")]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_in_a_container_has_the_options_that_make_up_gives_it(name: str) -> None:
    # Given the worker's block of the composition, up to the next service
    block = re.split(r"\n  (?=\S)", COMPOSITION.split(f"\n  {name}:\n", 1)[1])[0]
    # Then its options are those of `make up`, whose processes share a host and so need names of their own
    composed = re.findall(r"^      - (--\S+)", block, re.MULTILINE)
    assert composed == [part for part in COMMANDS[name] if part.startswith("--") and "--hostname" not in part]


def test_the_composition_gives_postgresql_the_settings_that_the_embedded_one_has() -> None:
    given = ", ".join(f'"-c", "{name}={value}"' for name, value in SETTINGS.items())
    assert f'command: ["postgres", {given}]' in COMPOSITION
