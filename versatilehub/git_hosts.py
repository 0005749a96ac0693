"""Where git may connect to: public addresses only, and the very addresses that were checked.

A name on the internet may point into the site's own network, or do so only the second time it is asked for.
So the hub resolves it once, refuses it unless every address is public, and pins those addresses for git.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final

from versatilehub.errors import Refusal, SourceUnreachable

# RFC 6052: an IPv4 address seen through a translator. Python calls all of them global, also 64:ff9b::7f00:1.
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")

# RFC 6890: for protocols, not hosts; global by the books of some Python versions.
_ASSIGNED: Final = ipaddress.IPv4Network("192.0.0.0/24")


def is_public(address: str) -> bool:
    """Return whether *address* is a unicast address of the internet, also when it carries another inside."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if carried := _carried(ip):
            return is_public(str(carried))
        if ip.is_site_local:
            return False
    elif ip in _ASSIGNED:
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def _carried(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that packets to *ip* end at, if there is one."""
    if ip in _TRANSLATED:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


async def public_addresses(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of *host*, in the order to try; raises unless all of them are public."""
    try:
        loop = asyncio.get_running_loop()
        answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceUnreachable(
            f"The name server knows no address of `{host}`.",
            hint="Check the spelling of the host in the link.",
            field="source",
        ) from error
    addresses = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if not all(map(is_public, addresses)):
        raise Refusal(
            f"The host `{host}` is not on the public internet.",
            hint="An administrator may add it to the sources this site allows.",
            field="source",
            code="host_not_public",
        )
    return addresses


def pin(host: str, port: int, addresses: tuple[str, ...]) -> str:
    """Return the value of git's ``http.curloptResolve`` that makes *host* mean *addresses*."""
    shown = (f"[{address}]" if ":" in address else address for address in addresses)
    return f"{host}:{port}:{','.join(shown)}"
