"""Where streams stand: the engine and the number of partitions that groups count in, against what is configured.

A key's messages are in one partition of one engine. With another number of partitions, or in another engine, new ones
could be handled before old ones, so neither changes while groups have something to handle: `broker/moving.py`.
"""

from collections.abc import Iterator

from django.db.models import Count, Min

from .current import current_topology
from .errors import MustMove
from .models import GroupPartition
from .streams import engine_name

_PROCEDURE = "Nothing was changed. Move the streams with `manage.py broker_move`: see docs/operations.md."


def check() -> None:
    """Raise `MustMove` where groups stand elsewhere than the settings and the topology say."""
    if problems := list(_problems()):
        raise MustMove(" ".join([*problems, _PROCEDURE]))


def _problems() -> Iterator[str]:
    wanted = {stream.name: stream.partitions for stream in current_topology().streams}
    names = [group.name for group in current_topology().groups]
    rows = GroupPartition.objects.filter(group__in=names, stream__in=wanted).values("group", "stream")
    for row in rows.annotate(partitions=Count("*"), engine=Min("engine")).order_by("stream", "group"):
        stream, engine, partitions = row["stream"], row["engine"], row["partitions"]
        if engine != engine_name():
            yield f"Group {row['group']} reads stream {stream} from {engine}, BROKER_STREAMS says {engine_name()}."
        if partitions != wanted[stream]:
            yield f"Group {row['group']} has {partitions} partitions of {stream}, the topology says {wanted[stream]}."
