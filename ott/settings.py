"""Every setting, typed and in one file. A start with a wrong one fails with a list of all that is wrong."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF
from environs import Env, validate

from ott.celery_transports import transport_of
from ott.console import console
from ott.embedded.discovery import running_servers
from ott.logging import logging_config
from ott.settings_report import explain, problems

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env(eager=False)  # gathers errors; the end of this file reports them together
env.read_env(BASE_DIR / ".env", recurse=False)
some, none_or_some, positive = validate.Range(min=1), validate.Range(min=0), validate.Range(min=0, min_inclusive=False)

# --- What this process is ------------------------------------------------------------------------------------------
DEBUG = env.bool("OTT_DEBUG", False)
PRODUCTION = env.bool("OTT_PRODUCTION", False)
OTT_BRAND = env.str("OTT_BRAND", "Marquee")
OTT_DATA_DIR = Path(env.str("OTT_DATA_DIR", str(BASE_DIR / ".data"))).resolve()
OTT_PORT = env.int("OTT_PORT", 8000, validate=some)
OTT_PROCESS = env.str("OTT_PROCESS", "command")  # web, broker, worker, beat or command

# --- Servers -------------------------------------------------------------------------------------------------------
_embedded = running_servers(OTT_DATA_DIR)
DATABASE_URL = env.str("DATABASE_URL", "") or _embedded.database_url
REDIS_URL = env.str("REDIS_URL", "") or _embedded.redis_url
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "") or REDIS_URL
BROKER_STREAMS = env.str("BROKER_STREAMS", "") or "postgres"

_database: dict[str, Any] = {}
with suppress(ValueError):  # reported at the end
    _database.update(dj_database_url.parse(DATABASE_URL, conn_health_checks=True))
if env.bool("OTT_PREPARED_STATEMENTS", True):
    _database.setdefault("OPTIONS", {})["prepare_threshold"] = 5  # times that a connection runs what may be prepared
if OTT_PROCESS == "web":
    # Many short-lived uses from a thread pool; the other processes hold their few connections for life.
    # A pool that backs off for long would still wait when the database is back: give up soon, and ask anew.
    _pool = {"min_size": 2, "max_size": 16, "timeout": 3, "reconnect_timeout": 1}
    _database.setdefault("OPTIONS", {})["pool"] = _pool
else:
    _database["CONN_MAX_AGE"] = None
DATABASES = {"default": _database}

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "live"},
    },
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
        "OPTIONS": {"socket_timeout": 5.0, "socket_connect_timeout": 5.0},
    },
}

# --- Applications --------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "channels",
    "django_htmx",
    "ninja",
    "csp",
    "broker",
    "accounts",
    "catalog",
    "notifications",
    "ott",
]
MIDDLEWARE = [
    "ott.trace.TraceContext",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "ott.console.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.ViewerTimeZone",
]
ROOT_URLCONF = "ott.urls"
ASGI_APPLICATION = "ott.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "ott.context.brand",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

UNFOLD = console(brand=OTT_BRAND)

# --- The broker ----------------------------------------------------------------------------------------------------
BROKER_TOPOLOGY = "ott.topology.topology"
BROKER_SCHEMA_SNAPSHOT = BASE_DIR / "ott/schemas.json"  # what messages were last agreed to carry
BROKER_PROJECTIONS = {"releases": "catalog.projection.releases"}  # what rebuild_projection can make anew
BROKER_RELAY_BATCH = 1_000
BROKER_POLL_SECONDS = 0.5
# After a batch of a few messages the next is left to grow for a moment, since one costs as much as the other.
BROKER_FEW, BROKER_GROW_SECONDS = 50, 0.004
BROKER_LEASE_SECONDS = 3.0
BROKER_MAX_MESSAGE_BYTES = 1_100_000  # a payload of 1 MiB and its envelope

# --- Celery --------------------------------------------------------------------------------------------------------
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
_transport = transport_of(CELERY_BROKER_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = dict(_transport.options) if _transport else {}
CELERY_WORKER_ENABLE_REMOTE_CONTROL = _transport is not None and _transport.has_remote_control
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "ott.celery:Scheduler"
# A wake-up that waited longer than its period is of no use to anybody: the next one is there.
CELERY_BEAT_SCHEDULE = {
    "wake-work-items": {
        "task": "broker.wake_work_items",
        "schedule": 5.0,
        "options": {"queue": "urgent", "expires": 5},
    },
    "send-due-deliveries": {
        "task": "notifications.send_due_deliveries",
        "schedule": 1.0,
        "options": {"queue": "sending", "expires": 1},
    },
    "flush-insight": {
        "task": "notifications.flush_insight",
        "schedule": 2.0,
        "options": {"queue": "default", "expires": 2},
    },
    "assemble-digests": {
        "task": "notifications.assemble_digests",
        "schedule": 5.0,
        "options": {"queue": "outbound", "expires": 5},
    },
    "turn-windows": {
        "task": "notifications.turn_windows",
        "schedule": 1.0,
        "options": {"queue": "urgent", "expires": 1},
    },
    "prune-deliveries": {
        "task": "notifications.prune_deliveries",
        "schedule": 3600.0,
        "options": {"queue": "outbound", "expires": 3600},
    },
    "forget-notifications": {
        "task": "notifications.forget_old",
        "schedule": 300.0,
        "options": {"queue": "bulk", "expires": 300},
    },
    "prune-broker": {"task": "broker.prune", "schedule": 3600.0, "options": {"queue": "bulk", "expires": 3600}},
    "trim-streams": {"task": "broker.trim_streams", "schedule": 60.0, "options": {"queue": "bulk", "expires": 60}},
    "publish-due-releases": {
        "task": "catalog.publish_due_releases",
        "schedule": 1.0,
        "options": {"queue": "urgent", "expires": 5},
    },
    "forget-received-events": {
        "task": "catalog.forget_received_events",
        "schedule": 3600.0,
        "options": {"queue": "default", "expires": 60},
    },
    "post-due-reminders": {
        "task": "notifications.post_due_reminders",
        "schedule": 10.0,
        "options": {"queue": "urgent", "expires": 10},
    },
    "tell-of-ending-memberships": {
        "task": "accounts.tell_of_ending_memberships",
        "schedule": 600.0,
        "options": {"queue": "default", "expires": 600},
    },
    "forget-idempotency-keys": {
        "task": "accounts.forget_idempotency_keys",
        "schedule": 3600.0,
        "options": {"queue": "default", "expires": 60},
    },
}

# --- Media ---------------------------------------------------------------------------------------------------------
MEDIA_ROOT = OTT_DATA_DIR / "media"
MEDIA_URL = "/media/"
CATALOG_MAX_UPLOAD_BYTES = env.int("OTT_MAX_UPLOAD_BYTES", 2 * 1024**3, validate=some)
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

# --- The live connection -------------------------------------------------------------------------------------------
LIVE_HEARTBEAT_SECONDS = env.float("OTT_LIVE_HEARTBEAT_SECONDS", 25.0, validate=positive)
LIVE_TICK_SECONDS = env.float("OTT_LIVE_TICK_SECONDS", 2.0, validate=positive)  # between looks for what no hint told of
LIVE_MAX_CONNECTIONS = env.int("OTT_LIVE_MAX_CONNECTIONS", 15_000, validate=some)  # to one web process
LIVE_MAX_PER_VIEWER = 30  # tabs and devices, to one web process
LIVE_ADMISSIONS_PER_SECOND = 500.0  # of clients that all come back at once, in each web process
LIVE_MAX_FRAME_BYTES = 64 * 1024
LIVE_MAX_MISSING = 200  # more than this many missed postings: reset, and the client reloads its list

# How long postings and notifications are kept; what is older is in no inbox any more.
NOTIFICATION_RETENTION = timedelta(days=env.int("OTT_NOTIFICATION_RETENTION_DAYS", 365, validate=some) or 365)
OTT_REMINDER_MINUTES = env.int("OTT_REMINDER_MINUTES", 10, validate=some)  # before a start, whoever asked is reminded

# --- Outbound deliveries -------------------------------------------------------------------------------------------
OTT_SITE_URL = env.str("OTT_SITE_URL", "").rstrip("/") or f"http://localhost:{OTT_PORT}"  # in mails and webhooks
OUTBOUND_MAX_ATTEMPTS = 10
# For one attempt, from the connection to the answer; and the pause after it: doubled with each attempt, full jitter.
OUTBOUND_SECONDS = env.float("OTT_OUTBOUND_SECONDS", 10.0, validate=positive)
OUTBOUND_BACKOFF_SECONDS = env.float("OTT_OUTBOUND_BACKOFF_SECONDS", 5.0, validate=positive)
OUTBOUND_BACKOFF_CAP_SECONDS = 3600.0
# Webhooks and push services at private and loopback addresses: for tests and benchmarks on this machine alone.
OUTBOUND_ALLOW_PRIVATE = env.bool("OTT_OUTBOUND_ALLOW_PRIVATE", False)
OTT_VAPID_PRIVATE_KEY = env.str("OTT_VAPID_PRIVATE_KEY", "")  # else it is drawn once and kept in the data folder
OTT_VAPID_CONTACT = env.str("OTT_VAPID_CONTACT", "mailto:hello@marquee.example")

# --- Static files --------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
# Collected when the image is built; elsewhere the files are served from where they are.
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION

# --- Accounts ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
OTT_TRIAL_DAYS = env.int("OTT_TRIAL_DAYS", 30, validate=none_or_some)  # of membership for whoever signs up; 0 = none
OTT_MEMBERSHIP_NOTICE_DAYS = env.int("OTT_MEMBERSHIP_NOTICE_DAYS", 3, validate=none_or_some)  # before its end
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
    "catalog.insiders.StudioBackend",  # signs nobody in: it answers for what belongs to studios
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_SIGNUP_FORM_CLASS = None
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

# --- Mail ----------------------------------------------------------------------------------------------------------
EMAIL_HOST = env.str("OTT_SMTP_HOST", "")
EMAIL_PORT = env.int("OTT_SMTP_PORT", 25, validate=some)
EMAIL_HOST_USER = env.str("OTT_SMTP_USER", "")
EMAIL_HOST_PASSWORD = env.str("OTT_SMTP_PASSWORD", "")
EMAIL_USE_TLS = env.bool("OTT_SMTP_TLS", False)
EMAIL_USE_SSL = env.bool("OTT_SMTP_SSL", False)
EMAIL_TIMEOUT = 10
# Without a mail server, mail is printed.
EMAIL_BACKEND = env.str("OTT_EMAIL_BACKEND", "") or (
    f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
)
ANYMAIL: dict[str, str] = env.dict(
    "OTT_ANYMAIL", {}
)  # KEY=value,… of the provider, for a backend such as anymail.backends.postmark…
DEFAULT_FROM_EMAIL = env.str("OTT_FROM_EMAIL", "Marquee <hello@marquee.example>")

# --- Security ------------------------------------------------------------------------------------------------------
SECRET_KEY = env.str("OTT_SECRET_KEY", "") or _embedded.secret_key
SECRET_KEY_FALLBACKS: list[str] = env.list("OTT_SECRET_KEY_FALLBACKS", [])  # keys before it, still good for reading
# Loopback is always allowed: health checks come from there.
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env.list("OTT_ALLOWED_HOSTS", [])]
CSRF_TRUSTED_ORIGINS: list[str] = env.list("OTT_TRUSTED_ORIGINS", [])
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if PRODUCTION:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 30 * 24 * 3600  # said over HTTPS only
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF, "blob:"],
        "connect-src": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
    },
}

# --- Logs ----------------------------------------------------------------------------------------------------------
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOGGING = logging_config(
    level=env.str("OTT_LOG_LEVEL", "INFO", validate=validate.OneOf(LOG_LEVELS)) or "INFO", as_json=PRODUCTION
)

if _problems := problems(
    env,
    production=PRODUCTION,
    debug=DEBUG,
    secret_key=SECRET_KEY,
    database=_database,
    redis_url=REDIS_URL,
    celery_url=CELERY_BROKER_URL,
    streams=BROKER_STREAMS,
):
    raise SystemExit(explain(_problems))
