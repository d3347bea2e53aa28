"""Mail through one of Django's backends: django-anymail's for a provider's API, or the console without a server."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused
from django.core.mail import get_connection

from notifications.outbound.outcomes import MAX_ERROR, SENT, Outcome, Verdict, ended, failed, is_busy, seconds_of
from notifications.outbound.parcels import Card, Parcel

from .messages import message_for


class BackendChannel:
    """Sends from threads, as backends wait for answers: each borrows a backend that is open, or opens a new one."""

    def __init__(self, *, at_once: int, seconds: float) -> None:
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="mail")
        self._seconds = seconds
        self._free: list[Any] = []
        self._is_closed = False

    async def send(self, parcel: Parcel, card: Card) -> Outcome:
        """One attempt, or none where every thread still waits for an answer.

        A thread that is not done in time goes on alone, until the backend gives up.
        """
        sending = self._threads.submit(self._send, message_for(parcel, card))
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(sending)
        except TimeoutError:
            if sending.cancel():  # no thread had begun with it
                return ended(Verdict.UNTRIED)
            return sending.result() if sending.done() else failed("The mail provider did not answer in time")

    def _send(self, mail: Any) -> Outcome:
        try:
            backend = self._borrowed()
        except Exception as error:  # whatever its library raises
            return failed(error)
        try:
            backend.send_messages([mail])
        except AnymailRecipientsRefused as error:
            outcome = ended(Verdict.GONE, f"The mail provider refused the address: {error}")
        except AnymailAPIError as error:
            outcome = _refused(error)
        except Exception as error:
            _drop(backend)
            return failed(error)
        else:
            outcome = SENT
        self._give_back(backend)
        return outcome

    def _borrowed(self) -> Any:
        try:
            return self._free.pop()
        except IndexError:  # another thread may have taken the last one just now
            backend = get_connection(timeout=self._seconds)
            backend.open()
            return backend

    def _give_back(self, backend: Any) -> None:
        self._free.append(backend)
        if self._is_closed:
            self._drop_all()

    async def close(self) -> None:
        """Close the backends' connections; a thread that still waits for an answer closes its own when it has it."""
        self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._drop_all)

    def _drop_all(self) -> None:
        with suppress(IndexError):  # from several threads at once
            while True:
                _drop(self._free.pop())


def _drop(backend: Any) -> None:
    with suppress(Exception):  # it is of no use any more
        backend.close()


def _refused(error: AnymailAPIError) -> Outcome:
    status = error.status_code
    if status is None and isinstance(error, OSError):  # as all errors of its HTTP client are
        return failed(f"The mail provider did not answer: {error.__cause__}")
    if status is not None and is_busy(status):
        headers = getattr(error.response, "headers", {})
        return failed(f"The mail provider answered {status}", retry_after=seconds_of(headers.get("Retry-After")))
    # Without a status it is what a library of the provider's own says: of this mail, or of the provider.
    says = "would not take it" if status is None else f"answered {status}"
    return Outcome(verdict=Verdict.RETRY, error=f"The mail provider {says}: {error}"[:MAX_ERROR])
