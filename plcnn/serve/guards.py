"""What every request passes first: the server's name in it, the size of its body; and headers of the answer."""

import ipaddress
import socket

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_PAGE = "/docs"
"""The OpenAPI page, whose library writes its script into the page."""

EVERYWHERE = ("0.0.0.0", "::")
"""Hosts that stand for all of a machine's addresses."""

_FORBIDDEN = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_POLICY = f"default-src 'self'; img-src 'self' data: blob:; {_FORBIDDEN}"
_INLINE = "; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"


class BodyLimit:
    """Refuses a body that is too large: at once where it says so, else as soon as too much of it has come.

    Args:
        app: what it guards.
        most: bytes of a body.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self.most:
            await JSONResponse({"detail": self._words()}, 413, {"Connection": "close"})(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.most:
                raise HTTPException(413, self._words(), {"Connection": "close"})
            return message

        await self.app(scope, counted, send)

    def _words(self) -> str:
        return f"A request may have up to {self.most / 2**20:g} MB; --max_upload_mb allows more."


class OwnNames:
    """Refuses requests that call this server by a foreign name, as a page does that has had its own name bound anew.

    Args:
        app: what it guards.
        host: where the server listens; a name that it may be called by. So may localhost and every address, and the
            machine's name where it listens everywhere.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.names = {"localhost", host.lower()} | ({socket.gethostname().lower()} if host in EVERYWHERE else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and not self._is_own(Headers(scope=scope).get("host", "")):
            words = "This server goes by another name: open it by the address that it printed."
            await JSONResponse({"detail": words}, 421)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower() in self.names
        return True


class PageHeaders:
    """Adds headers: nothing is loaded from elsewhere, no other page shows this one, no type is guessed.

    Args:
        app: what it guards.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        policy = _POLICY + (_INLINE if scope.get("path", "").startswith(API_PAGE) else "")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = policy
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self.app(scope, receive, with_headers)
