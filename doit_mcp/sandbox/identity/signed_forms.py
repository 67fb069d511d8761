"""Signed form state: hidden form data bound to one browser and one step, valid for half an hour.

The server stores nothing for a page that is only viewed, so page views cannot exhaust its memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable

LIFETIME_SECONDS = 1800.0


class FormSigner:
    """Signs and verifies form state with a key of this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def sign(self, step: str, browser: str, content: dict[str, str]) -> str:
        """The value of a hidden field: *content*, readable but signed."""
        payload = json.dumps([step, self._clock() + LIFETIME_SECONDS, content]).encode()
        return f"{base64.urlsafe_b64encode(payload).decode()}.{self._signature(payload, browser)}"

    def verify(self, step: str, browser: str, signed: str) -> dict[str, str] | None:
        """The content of a value signed for this step and this browser; None for any other or an expired one."""
        text, _, signature = signed.partition(".")
        try:
            payload = base64.b64decode(text, altchars=b"-_", validate=True)
        except ValueError:
            return None
        if not browser or not hmac.compare_digest(signature.encode(), self._signature(payload, browser).encode()):
            return None
        signed_step, expires, content = json.loads(payload)
        if signed_step != step or expires <= self._clock():
            return None
        return {str(name): str(value) for name, value in content.items()}

    def _signature(self, payload: bytes, browser: str) -> str:
        mac = hmac.new(self._key, hashlib.sha256(browser.encode()).digest(), hashlib.sha256)
        mac.update(payload)
        return mac.hexdigest()
