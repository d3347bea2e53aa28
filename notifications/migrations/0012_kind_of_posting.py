from django.db import migrations, models

KINDS = [
    ("premiere", "Premieres"),
    ("episode", "Episodes"),
    ("live_event", "Live events"),
    ("announcement", "Announcements"),
    ("reminder", "Reminders"),
    ("recommendation", "Recommendations"),
]
COPY_KINDS = """
UPDATE notifications_posting p SET kind = n.kind FROM notifications_notification n WHERE n.id = p.notification_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0011_dismissing"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="posting", name="posting_newest_in_topic"),
        migrations.AddField(
            model_name="posting", name="kind", field=models.CharField(choices=KINDS, max_length=16, null=True)
        ),
        migrations.RunSQL(COPY_KINDS, migrations.RunSQL.noop),
        # The checks of foreign keys that the copying put off would forbid to alter the table.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="posting", name="kind", field=models.CharField(choices=KINDS, max_length=16)
        ),
        migrations.AddIndex(
            model_name="posting",
            index=models.Index(
                fields=["topic", "kind", "notification"],
                include=("seq", "revision", "posted_at", "regions"),
                name="posting_newest_of_kind",
            ),
        ),
        migrations.AddIndex(
            model_name="posting",
            index=models.Index(
                fields=["topic", "kind", "seq"],
                include=("notification", "revision", "posted_at", "regions"),
                name="posting_of_kind",
            ),
        ),
    ]
