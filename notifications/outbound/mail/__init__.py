"""Mail: HTML and text, over SMTP of our own keeping or any of Django's backends (django-anymail's, for one)."""
