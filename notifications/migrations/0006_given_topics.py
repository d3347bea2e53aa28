import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Personal topics were subscribed to; now they are given. One whose viewer is gone is nobody's.
OWN_TOPICS = """
UPDATE notifications_topic t SET viewer_id = u.id FROM accounts_user u WHERE t.name = 'viewer:' || u.id;
DELETE FROM notifications_subscription s USING notifications_topic t WHERE t.id = s.topic_id AND t.name LIKE 'viewer:%';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0005_audiences"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="topic",
            name="viewer",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="own_topic",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(OWN_TOPICS, migrations.RunSQL.noop),
    ]
