"""Mail through one of Django's backends: django-anymail's for a provider's API, or the console without a server."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused
from django.core.mail import get_connection

from notifications.outbound.outcomes import SENT, Outcome, Verdict, ended, failed, is_busy, seconds_of
from notifications.outbound.parcels import Card, Parcel

from .messages import message_for


class BackendChannel:
    """Sends over one open connection of the backend, from a thread: backends wait for their answers."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
        self._backend: Any = None

    async def send(self, parcel: Parcel, card: Card) -> Outcome:
        """One attempt."""
        mail = message_for(parcel, card)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._send, mail)

    def _send(self, mail: Any) -> Outcome:
        try:
            if self._backend is None:
                self._backend = get_connection()
                self._backend.open()
            self._backend.send_messages([mail])
        except AnymailRecipientsRefused as error:
            return ended(Verdict.GONE, f"The mail provider refused the address: {error}")
        except AnymailAPIError as error:
            return _refused(error)
        except Exception as error:  # a backend may raise whatever its library does
            self._forget()
            return failed(error)
        return SENT

    def _forget(self) -> None:
        self._backend = None

    async def close(self) -> None:
        """Close the backend's connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._backend is not None:
            self._backend.close()


def _refused(error: AnymailAPIError) -> Outcome:
    status = error.status_code
    if status is None or is_busy(status):
        headers = getattr(error.response, "headers", {})
        return failed(f"The mail provider answered {status}", retry_after=seconds_of(headers.get("Retry-After")))
    return Outcome(verdict=Verdict.RETRY, error=f"The mail provider answered {status}: {error}"[:300])
