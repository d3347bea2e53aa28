"""Commands of manage.py on a running platform, all in one process: each start of Django costs seconds.

The process reads a JSON array of arguments a line, and answers with a JSON object a line: what the command printed, and
the traceback if it failed.
"""

import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO

from ott.embedded.processes import PROJECT

Manage = Callable[..., str]


@contextmanager
def manager(environment: Mapping[str, str]) -> Iterator[Manage]:
    """Yields a function that runs one command, `manage("migrate", "--check")`; it returns what the command printed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.manager"],
        env={**environment, "DJANGO_SETTINGS_MODULE": "ott.settings"},
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def manage(*arguments: str) -> str:
            print(json.dumps(arguments), file=process.stdin, flush=True)
            answer = json.loads(process.stdout.readline())  # type: ignore[union-attr] # a pipe, as asserted above
            assert not answer["failure"], answer["failure"]
            return str(answer["printed"]).strip()

        yield manage
        process.stdin.close()  # which ends it


def main() -> None:
    """Run what is asked for, until nobody can ask any more."""
    import django  # noqa: PLC0415 (only this process is to be set up here)

    django.setup()
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


def _answer(arguments: list[str]) -> dict[str, str]:
    from django.core.management import call_command  # noqa: PLC0415 (as above)
    from django.db import connections  # noqa: PLC0415 (as above)

    failure = ""
    with redirect_stdout(StringIO()) as printed:
        try:
            call_command(*arguments)
        except Exception:
            failure = traceback.format_exc()
    connections.close_all()  # by the next command the server may have died
    return {"printed": printed.getvalue(), "failure": failure}


if __name__ == "__main__":
    main()
