"""`bulk_create` in a process of its own, beside whatever goes on: `python -m bench.bulk_created_beside RUNS`.

Prints its rows a second, a line a run.
"""

import os
import sys

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ott.settings")
    django.setup()
    from .bulk_created import rows_per_second

    for _ in range(int(sys.argv[1])):
        print(rows_per_second(), flush=True)
