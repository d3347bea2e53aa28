"""One rebuild in a process of its own, for its peak memory: `python -m bench.rebuild_once`. Prints JSON."""

import json
import os
import resource
import sys
from pathlib import Path

import django

MIB = 1024


def peak_mib() -> float:
    """The most memory this program held at once. Linux counts it anew for each program; elsewhere it is inherited."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        unit = MIB**2 if sys.platform == "darwin" else MIB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / MIB


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ott.settings")
    django.setup()
    from broker.rebuild import rebuild_projection

    rebuilt = rebuild_projection("releases")
    figures = {"rows": rebuilt.rows, "seconds": rebuilt.seconds, "differences": rebuilt.differences.total}
    print(json.dumps({**figures, "peak_mib": peak_mib()}))
