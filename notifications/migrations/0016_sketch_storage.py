"""Sketches are noise to a compressor: it took three quarters of the time in which they were stored, for nothing."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0015_said_start")]

    operations: ClassVar = [
        migrations.RunSQL(
            "ALTER TABLE notifications_reach ALTER COLUMN sketch SET STORAGE EXTERNAL",
            "ALTER TABLE notifications_reach ALTER COLUMN sketch SET STORAGE EXTENDED",
        )
    ]
