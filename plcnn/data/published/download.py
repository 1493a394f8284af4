"""Download one file over http(s): checked, tried again after a passing fault, and never half there."""

import http.client
import logging
import os
import ssl
import time
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from tqdm import tqdm

from plcnn.data.published.checksums import Checksum
from plcnn.data.sole_writer import sole_writer
from plcnn.errors import UserError

_CHUNK_BYTES = 1 << 16
_PASSING_STATUSES = (408, 425, 429)  # besides 5xx: time-out, too early, too many requests

_log = logging.getLogger(__name__)


def download(
    urls: str | Sequence[str],
    path: Path,
    *,
    size: int,
    checksum: Checksum,
    attempts: int = 5,
    first_wait_seconds: float = 1.0,
    timeout_seconds: float = 30.0,
) -> None:
    """Put the file at an address at `path`, unless something stands there already.

    Args:
        urls: an http or https address, or several of the same file, tried in order; redirects are followed to such
            addresses alone.
        path: where the complete, checked file appears; processes that want the same path take turns.
        size: the file's bytes; what a server sends beyond them is not taken.
        checksum: the file's.
        attempts: number of tries of an address, at least 1, for faults that may pass; each wait is twice the last one.
        first_wait_seconds: wait after the first failed try.
        timeout_seconds: longest silence of the server.

    Raises:
        ValueError: if an address is not http(s).
        UserError: if the file could not be had, or `path` not written; the message says where to put it by hand.
    """
    urls = [urls] if isinstance(urls, str) else list(urls)
    for url in urls:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"url={url!r}: only http and https addresses can be downloaded")
    path = path.absolute()
    with sole_writer(path) as part:
        if path.exists():  # another process was faster
            return
        for url, *others in (urls[place:] for place in range(len(urls))):
            _log.info("downloading %s to %s", url, path)
            fetch = partial(_fetch, url, part, path.name, size, checksum, timeout_seconds)
            try:
                _try(fetch, url, attempts, first_wait_seconds)
                break
            except _Failure as failure:
                if not others:
                    raise UserError(
                        f"cannot download {url}: {failure}.{failure.advice}\n"
                        f"To go on without the network, put the file at {path} ({size} bytes, {checksum})."
                    ) from failure
                _log.warning("%s: %s; the next address is tried", url, failure)
        os.replace(part, path)


def _try(fetch: Callable[[], None], url: str, attempts: int, wait_seconds: float) -> None:
    """Fetch, and again after faults that may pass; raise the last `_Failure`, with its number."""
    for attempt in range(1, attempts + 1):
        try:
            return fetch()
        except _Failure as failure:
            if attempt == attempts or not failure.passing:
                raise _Failure(f"{failure} (attempt {attempt} of {attempts})", advice=failure.advice) from failure
            _log.warning("%s: %s (attempt %d of %d); again in %g s", url, failure, attempt, attempts, wait_seconds)
            time.sleep(wait_seconds)
            wait_seconds *= 2


class _Failure(Exception):
    """Why a try brought no file; `passing` when the next one might."""

    def __init__(self, reason: str, passing: bool = True, advice: str = "") -> None:
        super().__init__(reason)
        self.passing = passing
        self.advice = advice


def _fetch(url: str, part: Path, name: str, size: int, checksum: Checksum, timeout_seconds: float) -> None:
    digest, received = checksum.digest(), 0
    with (
        open(part, "wb") as file,
        # disable=None: no bar where stderr is not a terminal
        tqdm(total=size, desc=name, unit="B", unit_scale=True, leave=False, disable=None) as progress,
        closing(_chunks(url, timeout_seconds)) as chunks,
    ):
        for chunk in chunks:
            received += len(chunk)
            if received > size:
                raise _Failure(f"the server sent more than the expected {size} bytes")
            file.write(chunk)
            digest.update(chunk)
            progress.update(len(chunk))
        if received < size:
            raise _Failure(f"the server sent {received} of {size} bytes")
        if digest.hexdigest() != checksum.digits:
            raise _Failure(f"the server sent another file, with {checksum.algorithm} {digest.hexdigest()}")
        file.flush()
        os.fsync(file.fileno())


def _chunks(url: str, timeout_seconds: float) -> Generator[bytes, None, None]:
    """Yield the body; a fault of the network becomes a `_Failure`, so that other OSErrors are the disk's."""
    request = urllib.request.Request(url, headers={"User-Agent": "plcnn"})
    try:
        with _opener().open(request, timeout=timeout_seconds) as response:
            while chunk := response.read(_CHUNK_BYTES):
                yield chunk
    except HTTPError as error:
        error.close()
        passing = error.code >= 500 or error.code in _PASSING_STATUSES
        raise _Failure(f"HTTP {error.code} {error.reason}", passing) from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a redirect to no address
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise _Failure(
                f"its certificate could not be verified: {cause.verify_message}",
                passing=False,
                advice=" Behind a proxy that signs anew, set SSL_CERT_FILE to the file of its CA certificates;"
                " to use another proxy, set HTTPS_PROXY to its address.",
            ) from error
        if isinstance(cause, TimeoutError):
            raise _Failure(f"nothing came for {timeout_seconds:g} s") from error
        raise _Failure(str(cause) or type(cause).__name__) from error


def _opener() -> urllib.request.OpenerDirector:
    """Open http and https alone, through the environment's proxies; urllib's own opener follows redirects to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
