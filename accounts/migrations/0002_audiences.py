"""A language that was chosen becomes one of several; `en` was nobody's choice, but what everybody had."""

import django.contrib.postgres.fields
from django.db import migrations, models

SQL = "UPDATE accounts_viewerprofile SET languages = ARRAY[language] WHERE language <> 'en'"


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='viewerprofile',
            name='languages',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=8), db_default=[], default=list, size=None),
        ),
        migrations.AddField(
            model_name='viewerprofile',
            name='region',
            field=models.CharField(blank=True, db_default='', default='', max_length=2),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
        migrations.RemoveField(
            model_name='viewerprofile',
            name='language',
        ),
    ]
