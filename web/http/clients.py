"""Address of a request's client, as far as it can be trusted."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from flask import current_app, request

APP_ENGINE = "X-Appengine-User-IP"
"""Header in which App Engine states the address; it removes the header from what clients send."""
IPV6_PREFIX = 64
"""Bits of an IPv6 address that identify a client: it may choose the others itself."""


def client_address() -> str:
    """Return the address as CLIENT_ADDRESS says, IPv6 as its network; the peer's where a header has none.

    What stands in X-Forwarded-For before the entries of the trusted proxies is the client's own, and ignored.
    """
    source = current_app.config["CLIENT_ADDRESS"]
    peer = request.environ.get("REMOTE_ADDR", "")
    if source == "peer":
        return _network(peer) or peer[:64]
    if source == "appengine":
        stated = request.headers.get(APP_ENGINE, "")
    else:
        entries = ",".join(request.headers.getlist("X-Forwarded-For")).split(",")
        stated = entries[-int(source)] if len(entries) >= int(source) else ""
    return _network(stated) or _network(peer) or peer[:64]


def _network(text: str) -> str | None:
    """Return the address, or the network of an IPv6 address, without a port; None for what is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_PREFIX), strict=False))
