"""A release's title was in its row alone; now the event that drafts it says it, and the row follows from events."""

from django.db import migrations

SQL = """
    UPDATE broker_storedevent AS event SET data = event.data || jsonb_build_object('title', release.title_id)
    FROM catalog_release AS release
    WHERE event.aggregate = 'release:' || release.id AND event.type = 'release.drafted' AND event.data -> 'title' IS NULL
"""


class Migration(migrations.Migration):

    dependencies = [('catalog', '0001_initial'), ('broker', '0003_storedevent_order')]

    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
