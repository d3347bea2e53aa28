from django.db import migrations

import notifications.outbound.sealing


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0013_retention'),
    ]

    operations = [
        migrations.AlterField(
            model_name='endpoint',
            name='previous_secret',
            field=notifications.outbound.sealing.SealedField(blank=True, max_length=255),
        ),
        migrations.AlterField(
            model_name='endpoint',
            name='secret',
            field=notifications.outbound.sealing.SealedField(blank=True, max_length=255),
        ),
    ]
