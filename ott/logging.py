"""How every process logs: one line an event, for people on a terminal, as JSON in production."""

import logging
from typing import Any

import structlog
from structlog.processors import TimeStamper
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from broker.trace import name_what_is_handled

_COMMON: list[Processor] = [
    name_what_is_handled,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
]


def logging_config(*, level: str, as_json: bool) -> dict[str, Any]:
    """Django's LOGGING; structlog's own loggers end in the same handler."""
    clock = TimeStamper(fmt="iso", utc=True) if as_json else TimeStamper(fmt="%H:%M:%S", utc=False)
    common: list[Processor] = [*_COMMON, clock]
    structlog.configure(
        processors=[*common, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": ProcessorFormatter,
                "processors": [ProcessorFormatter.remove_processors_meta, *(_json() if as_json else _console())],
                "foreign_pre_chain": common,
            }
        },
        "filters": {"no_probes": {"()": "ott.logging.NoProbes"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.request": {"filters": ["no_probes"]},
            # A line a second for beat's wake-ups would bury everything else.
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }


class NoProbes(logging.Filter):
    """Drops what Django says of a /readyz that is not green yet: whoever asks gets it in the answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log `record`."""
        return getattr(getattr(record, "request", None), "path", "") != "/readyz"


def _console() -> list[Processor]:
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=plain)]


def _json() -> list[Processor]:
    return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
