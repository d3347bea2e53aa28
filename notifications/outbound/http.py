"""What webhooks and pushes share: one session, guarded and patient for a while, and an answer's meaning."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from .addresses import ForbiddenAddress, PublicResolver, checked_url
from .outcomes import Outcome, Verdict, ended, failed

MOST_READ = 4096  # bytes of an answer; whoever says more loses the connection
CONNECT_SECONDS = 5.0
USER_AGENT = "Marquee/1 (+https://www.standardwebhooks.com)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str
    retry_after: str | None


def session(*, per_host: int, seconds: float) -> aiohttp.ClientSession:
    """A session that connects to public addresses only, and keeps its connections."""
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(), limit=0, limit_per_host=per_host, ttl_dns_cache=30, keepalive_timeout=30
    )
    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
    return aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": USER_AGENT}
    )


async def post(http: aiohttp.ClientSession, url: str, *, data: bytes, headers: Mapping[str, str]) -> Answer | Outcome:
    """Send once, following no redirect. The answer, or what its absence means."""
    try:
        checked_url(url)
        async with http.post(url, data=data, headers=headers, allow_redirects=False) as response:
            text = (await response.content.read(MOST_READ)).decode(errors="replace")
            if not response.content.at_eof():
                response.close()
            return Answer(response.status, text, response.headers.get("Retry-After"))
    except ValueError as error:  # a forbidden address, or no URL at all: aiohttp's InvalidURL is one, too
        return ended(Verdict.GONE, str(error))
    except TimeoutError:
        return failed("No answer in time")
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.__cause__, ForbiddenAddress):
            return ended(Verdict.GONE, str(error.__cause__))
        return failed(error)
    except (aiohttp.ClientError, OSError) as error:
        return failed(error)
