"""Which addresses a link may lead to. Pure, and asks nobody.

A server that fetches what a stranger names can be made to ask its own network: a
router's page, a cloud's metadata, a database. So a link must name a host on the open
internet, on a port where web servers are.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from stablechat.errors import InputError

MAX_LINK_CHARACTERS = 2000

_PORTS = {"http": 80, "https": 443}
#: Below are other services (mail, SSH, file sharing) that must not be talked to.
_FIRST_FREE_PORT = 1024

#: Signs of a path or a query that are sent as they are.
_SAFE = "/%:@!$&'()*+,;=~-._?"

# Addresses that carry another one: whoever translates them would go there.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# Not on the open internet either, whatever older Pythons say.
_NOT_PUBLIC = (
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
    ipaddress.IPv6Network("fec0::/10"),
)


@dataclass(frozen=True)
class Link:
    """A checked link.

    Attributes:
        url: As it is asked for: without a fragment, its host in ASCII.
        scheme: ``"http"`` or ``"https"``.
        host: Name or address, without brackets.
        port: Where.
        path: Still percent-encoded.
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str

    def follow(self, location: str) -> Link:
        """Where a redirect leads.

        Args:
            location: What the server said.

        Raises:
            InputError: It may not lead there.
        """
        try:
            joined = urljoin(self.url, location)
        except ValueError as error:
            raise InputError("This is not a link that can be read.") from error
        target = read_link(joined)
        if self.scheme == "https" and target.scheme != "https":
            raise InputError("The link leads from https to http; it was not followed.")
        return target


def read_link(text: str) -> Link:
    """Check a link that somebody typed.

    Args:
        text: ``"https://example.org/films/a.mp4"``.

    Raises:
        InputError: It is none, or one that is not asked for.
    """
    text = text.strip()
    if len(text) > MAX_LINK_CHARACTERS:
        raise InputError("A link may have {most} characters.", most=MAX_LINK_CHARACTERS)
    if not text.isprintable() or any(each in text for each in ' \\<>"'):
        raise InputError("This is not a link; it begins with https:// or http://.")
    try:
        parts = urlsplit(text)
        port, host = parts.port, _host(parts.hostname or "")
    except (ValueError, UnicodeError) as error:
        raise InputError("This is not a link that can be read.") from error
    if parts.scheme not in _PORTS or not host:
        raise InputError("This is not a link; it begins with https:// or http://.")
    if parts.username is not None or parts.password is not None:
        raise InputError("A link with a user or a password in it is not asked for.")
    port = _PORTS[parts.scheme] if port is None else port
    if port not in _PORTS.values() and port < _FIRST_FREE_PORT:
        raise InputError("Port {port} is not one of a web server.", port=port)
    named = f"[{host}]" if ":" in host else host
    where = named if port == _PORTS[parts.scheme] else f"{named}:{port}"
    path, query = quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE)
    url = f"{parts.scheme}://{where}{path}" + (f"?{query}" if query else "")
    return Link(url, parts.scheme, host, port, path)


def _host(named: str) -> str:
    """A host in ASCII.

    Raises:
        ValueError: It is none.
    """
    if ":" in named:
        return str(ipaddress.IPv6Address(named))
    host = named if named.isascii() else named.encode("idna").decode("ascii")
    host = host.rstrip(".")
    if not re.fullmatch(r"[A-Za-z0-9._-]*", host):
        raise ValueError("a host has letters, digits, dots and hyphens")
    return host


def is_public(address: str) -> bool:
    """Whether an IP address is on the open internet, and nothing that leads back.

    Args:
        address: As the resolver gave it.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = _carried(found)
        if inner is not None:
            return is_public(str(inner))
    if any(found in network for network in _NOT_PUBLIC):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address in an IPv6 one, if there is one."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour
