"""Mail over SMTP, on connections that are kept and lent out one by one."""

import asyncio
from http import HTTPStatus

import aiosmtplib
from aiosmtplib.typing import SMTPStatus
from django.conf import settings

from notifications.outbound.outcomes import SENT, Outcome, Verdict, ended, failed
from notifications.outbound.parcels import Card, Parcel

from .messages import message_for

PERMANENT = HTTPStatus.INTERNAL_SERVER_ERROR  # of SMTP's replies, too: 5xx is for good


class SmtpChannel:
    """Sends each mail over a free connection, or a new one: there are never more than mails on their way."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._free: list[aiosmtplib.SMTP] = []

    async def send(self, parcel: Parcel, card: Card) -> Outcome:
        """One attempt."""
        mail = message_for(parcel, card)
        smtp: aiosmtplib.SMTP | None = None
        try:
            async with asyncio.timeout(self._seconds):
                smtp = await self._connection()
                await smtp.sendmail(mail.from_email, [parcel.email or ""], mail.message().as_bytes())
        except aiosmtplib.SMTPRecipientsRefused as error:
            await self._keep(smtp)
            return _refused(error.recipients[0].code, error.recipients[0].message)
        except aiosmtplib.SMTPResponseException as error:
            return await self._answered(error, smtp)
        except TimeoutError:  # aiosmtplib's own are of this kind, too
            _drop(smtp)
            return failed("No answer in time")
        except (aiosmtplib.SMTPException, OSError) as error:
            _drop(smtp)
            return failed(error)
        self._free.append(smtp)
        return SENT

    async def _answered(self, error: aiosmtplib.SMTPResponseException, smtp: aiosmtplib.SMTP | None) -> Outcome:
        """A refusal of something else than the reader's address."""
        if isinstance(error, aiosmtplib.SMTPDataError) and error.code >= PERMANENT:
            await self._keep(smtp)
            if error.code == SMTPStatus.mailbox_unavailable:
                return _refused(error.code, error.message)
            return ended(Verdict.REFUSED, f"The mail server answered {error.code}: {error.message}")
        _drop(smtp)  # the sender, the sign-in or the server itself: ours to mend, so it is tried again
        return failed(f"The mail server answered {error.code}: {error.message}")

    async def _connection(self) -> aiosmtplib.SMTP:
        while self._free:
            smtp = self._free.pop()
            if smtp.is_connected:
                return smtp
        smtp = aiosmtplib.SMTP(
            hostname=settings.EMAIL_HOST,
            port=settings.EMAIL_PORT,
            username=settings.EMAIL_HOST_USER or None,
            password=settings.EMAIL_HOST_PASSWORD or None,
            use_tls=settings.EMAIL_USE_SSL,
            start_tls=settings.EMAIL_USE_TLS,
            timeout=self._seconds,
        )
        await smtp.connect()
        return smtp

    async def _keep(self, smtp: aiosmtplib.SMTP | None) -> None:
        """Use the connection again, if the server lets go of the mail that it refused."""
        if smtp is None:
            return
        try:
            await smtp.rset()
        except (aiosmtplib.SMTPException, OSError):
            smtp.close()
        else:
            self._free.append(smtp)

    async def close(self) -> None:
        """Say goodbye."""
        for smtp in self._free:
            smtp.close()
        self._free.clear()


def _drop(smtp: aiosmtplib.SMTP | None) -> None:
    if smtp is not None:
        smtp.close()


def _refused(code: int, message: str) -> Outcome:
    """What the answer to a reader's address means: 4xx is for now."""
    text = f"The mail server answered {code}: {message}"
    if code >= PERMANENT:
        return ended(Verdict.GONE, text)
    return Outcome(verdict=Verdict.RETRY, error=text[:300])
