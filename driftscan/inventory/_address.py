"""`[user@]host[:port]`, as ssh(1) and scp(1) users write it."""

import ipaddress
import re
from dataclasses import dataclass

_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@\\$+-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9_.-]{1,32})?")
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Address:
    """A host as a person names it. `user` empty and `port` 0: not said."""

    host: str
    user: str = ""
    port: int = 0

    @property
    def name(self) -> str:
        """What to call the host: without the user, and with the port where one is said."""
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `[user@]host[:port]`; an IPv6 address stands in brackets (RFC 3986, 3.2.2). ValueError says what is wrong.

    Neither part may begin with a hyphen: it could pass for an option of ssh(1).
    """
    user, at, rest = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise ValueError("the user before '@' is not a user name")
    if rest.startswith("["):
        host, closed, tail = rest[1:].partition("]")
        if not closed or not _is_ipv6(host):
            raise ValueError("the text in brackets is not an IPv6 address")
    else:
        host, colon, port = rest.partition(":")
        if ":" in port:
            raise ValueError("write an IPv6 address in brackets: [2001:db8::1]:22")
        if not _HOST.fullmatch(host):
            raise ValueError("not a host name or address")
        tail = colon + port
    return Address(host, user, _port(tail))


def _port(tail: str) -> int:
    if not tail:
        return 0
    if not tail.startswith(":") or not _PORT.fullmatch(tail[1:]) or not 0 < int(tail[1:]) < 65536:
        raise ValueError("the port after ':' is not a number from 1 to 65535")
    return int(tail[1:])


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return _IPV6.fullmatch(text) is not None
