"""Addresses of the web: read so that every parser reads them alike, or refused."""

import re
from urllib.parse import urlsplit

import httpx2

from pilot.egress.refusals import refusal

MAX_URL_CHARACTERS = 8_192


def parse(url: str) -> httpx2.URL:
    """Accept only addresses that every parser reads alike.

    Raises:
        StepError: with code `egress_blocked`, as all refusals here.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise refusal(f"The address is longer than {MAX_URL_CHARACTERS} characters.")
    if "\\" in url or any(char.isspace() or not char.isprintable() for char in url):
        raise refusal("The address holds spaces, backslashes or control characters.")
    try:
        authority = urlsplit(url).netloc
        parsed = httpx2.URL(url)
        host = parsed.raw_host.decode("ascii").rstrip(".")
        bad_port = parsed.port is not None and not 0 < parsed.port < 65_536
    except (ValueError, httpx2.InvalidURL):
        raise refusal("The address cannot be read.") from None
    if parsed.scheme not in {"http", "https"}:
        raise refusal("Only http and https addresses can be called.")
    if "@" in authority or "%" in authority:
        raise refusal("The address holds a user name, a zone or an encoded host.")
    if not host or bad_port or not _is_host(host):
        raise refusal("The address has no usable host or port.")
    return parsed.copy_with(host=host)  # without the dot that may end it


def endpoint(host: str, port: int) -> httpx2.URL:
    """Read a host by the rules of web addresses; it can hold nothing but a host."""
    url = parse(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
    if port_of(url) != port or url.raw_path != b"/":
        raise refusal("The name of the server cannot be read.")
    return url


def _is_host(host: str) -> bool:
    """Refuse names that some resolvers read as numbers: 0x7f.1, 2130706433, 127.1."""
    if ":" in host or re.fullmatch(r"\d+\.\d+\.\d+\.\d+", host):
        return True  # httpx2 has read it as an address
    labels = host.split(".")
    numeric = labels[-1].isdigit() or labels[-1].lower().startswith("0x")
    return not numeric and all(re.fullmatch(r"[0-9A-Za-z_-]{1,63}", label) for label in labels)


def joined(base: httpx2.URL, location: str) -> str:
    """Return where a redirect leads."""
    try:
        return str(base.join(location))
    except httpx2.InvalidURL:
        raise refusal("The address of a redirect cannot be read.") from None


def port_of(url: httpx2.URL) -> int:
    """Return the port, also the one that goes without saying."""
    return url.port or (443 if url.scheme == "https" else 80)


def authority_of(url: httpx2.URL) -> str:
    """Return host:port."""
    host = url.raw_host.decode("ascii")
    return f"[{host}]:{port_of(url)}" if ":" in host else f"{host}:{port_of(url)}"


def origin_of(url: httpx2.URL) -> tuple[str, str]:
    """Return what two addresses of one server have in common."""
    return url.scheme, authority_of(url).lower()
