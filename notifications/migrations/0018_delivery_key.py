from typing import ClassVar

from django.db import migrations, models

_KEY = """
    ALTER TABLE notifications_delivery
        DROP CONSTRAINT notifications_delivery_pkey,
        ADD CONSTRAINT notifications_delivery_pkey PRIMARY KEY ({columns})
"""


class Migration(migrations.Migration):
    """An endpoint says which channel a delivery takes. (Django does not change a composite key itself.)"""

    dependencies: ClassVar = [("notifications", "0017_browser_address")]

    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    _KEY.format(columns="notification_id, viewer_id, endpoint_id"),
                    _KEY.format(columns="notification_id, viewer_id, channel, endpoint_id"),
                )
            ],
            state_operations=[
                migrations.AlterField(
                    "delivery",
                    "pk",
                    models.CompositePrimaryKey(
                        "notification_id",
                        "viewer_id",
                        "endpoint_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                )
            ],
        )
    ]
