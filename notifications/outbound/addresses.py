"""Which addresses we connect to. Viewers name the hosts, so none of ours may be among them.

The check stands where a connection is made: what was checked is what is connected to, and a name that resolves
differently a moment later changes nothing.
"""

import ipaddress
import socket
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from django.conf import settings

MAX_URL = 1000  # characters
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenAddress(ValueError):
    """An address inside a private, loopback, link-local or otherwise special network is never connected to."""

    def __init__(self, host: str, address: str = "") -> None:
        via = f" ({address})" if address and address != host else ""
        super().__init__(f"{host}{via} is not a public address.")


class InvalidUrl(ValueError):
    """What is wrong with a URL that a viewer gave, in words for them."""


def checked_url(url: str) -> SplitResult:
    """The parts of an acceptable URL. Raises `InvalidUrl`, or `ForbiddenAddress` for a literal one that is.

    Names are not resolved here: that happens when we connect.
    """
    parts = _parts(url)
    check_literal(parts.hostname or "")
    return parts


@lru_cache(maxsize=4096)
def _parts(url: str) -> SplitResult:
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        raise InvalidUrl(f"The address must be a URL of at most {MAX_URL} characters without spaces.")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidUrl(f"The address is not a URL: {error}.") from error
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise InvalidUrl("The address must begin with https:// or http:// and name a host.")
    if parts.username is not None or parts.password is not None:
        raise InvalidUrl("The address may hold no user and no password.")
    return parts


def check_literal(host: str) -> None:
    """Raises `ForbiddenAddress` when `host` is a special address written as numbers; a name passes."""
    for address in _written_as_numbers(host):
        _check(host, address)


@lru_cache(maxsize=4096)
def _written_as_numbers(host: str) -> frozenset[str]:
    """The addresses that a host means without asking anybody, in every way that C libraries write them: 0x7f.1."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except OSError:
        return frozenset({"127.0.0.1"} if host.rstrip(".").lower().endswith("localhost") else ())
    return frozenset(str(address[0]) for *_, address in found)


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet's, whatever it is wrapped in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _check(host: str, address: str) -> None:
    if not settings.OUTBOUND_ALLOW_PRIVATE and not is_public(address):
        raise ForbiddenAddress(host, address)


class PublicResolver(AbstractResolver):
    """Resolves names for aiohttp, which connects to exactly these addresses. One that is special spoils them all."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises `ForbiddenAddress`, or `OSError` when there is no answer."""
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            _check(host, result["host"])
        return found

    async def close(self) -> None:
        await self._resolver.close()
