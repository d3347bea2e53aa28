from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """Deliveries are vacuumed for what becomes of them, not for being made: most are changed soon after that.

    (What is never changed is frozen when its age asks for it, as before.)
    """

    dependencies: ClassVar = [("notifications", "0018_delivery_key")]

    operations: ClassVar = [
        migrations.RunSQL(
            "ALTER TABLE notifications_delivery SET (autovacuum_vacuum_insert_threshold = -1)",
            "ALTER TABLE notifications_delivery RESET (autovacuum_vacuum_insert_threshold)",
        )
    ]
