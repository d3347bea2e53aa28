"""The ASGI application: pages and API by Django, live connections by Channels."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ott.settings")

application = get_asgi_application()
