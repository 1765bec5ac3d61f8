"""Settings of the server (environment variables); `python -m web.settings` prints their Markdown table."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emotions.face.defaults import DEFAULT_HEAD
from emotions.notice import NOTICE, parse_notice
from emotions.runtime.gcs import split_address

DIGEST = re.compile("[0-9a-f]{64}")
MAX_KEYS = 1000
MAX_PROXIES = 9
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
LEVELS = ("debug", "info", "warning", "error")


class SettingError(ValueError):
    """An environment variable has an invalid value; the message names it."""


def _megabytes(minimum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,5}", text) or int(text) < minimum:
            raise ValueError(f"a whole number from {minimum} to 99999 is needed")
        return int(text)

    return parse


def _seconds(minimum: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text) or float(text) < minimum:
            raise ValueError(f"a number of seconds from {minimum:g} to 99999 is needed")
        return float(text)

    return parse


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("1 (on) or 0 (off) is needed")
    return text == "1"


def _origins(text: str) -> frozenset[str]:
    origins = [origin.strip() for origin in text.split(",") if origin.strip()]
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is not an origin such as https://example.org (in small letters, no path, no *)")
    return frozenset(origins)


def _keys(text: str) -> tuple[str, ...]:
    digests = tuple(dict.fromkeys(text.lower().replace(",", " ").split()))
    if (text and not digests) or len(digests) > MAX_KEYS or not all(DIGEST.fullmatch(digest) for digest in digests):
        raise ValueError(f"at most {MAX_KEYS} SHA-256 digests of 64 hexadecimal digits are needed, with commas or spaces between")
    return digests


def _rate(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text):
        raise ValueError("a whole number from 0 (no limit) to 999999 is needed")
    return int(text)


def _client_address(text: str) -> str:
    if text not in ("peer", "appengine") and not re.fullmatch(f"[1-{MAX_PROXIES}]", text):
        raise ValueError(f"`peer`, `appengine` or a number of proxies from 1 to {MAX_PROXIES} is needed")
    return text


def _models(text: str) -> str:
    if text.startswith("gs:"):
        split_address(text)
    return text


def _level(text: str) -> int:
    if text not in LEVELS:
        raise ValueError(f"one of {', '.join(LEVELS)} is needed")
    return logging.getLevelName(text.upper())


@dataclass(frozen=True)
class Setting:
    """One environment variable; `parse` returns its value or raises ValueError. A `secret` value is in no error message."""

    name: str
    default: str
    help: str
    parse: Callable[[str], Any] = str
    secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("EXPRESSION_HEAD", DEFAULT_HEAD, "Expression head that is served; shipped: `mixed`, `ferplus`, `fer2013`."),
    Setting(
        "MODELS",
        "models",
        "Folder of the model files and their manifest, as `scripts.release.export` writes it; or `gs://bucket/prefix`, as "
        "`scripts.release.publish` uploads it.",
        _models,
    ),
    Setting(
        "MODELS_FALLBACK", "0", "1: use the models of the tree where those of a bucket are unavailable; 0: do not start.", _switch
    ),
    Setting("DECODE_MB", "120", "Megabytes for decoding images at the same time; larger images are rejected.", _megabytes(16)),
    Setting(
        "UPLOAD_MB", "48", "Megabytes of uploads in memory at the same time; beyond that the slowest are refused.", _megabytes(32)
    ),
    Setting("PHOTO_SECONDS", "20", "Processor seconds that a photo may take.", _seconds(0.1)),
    Setting(
        "IMAGES_SECONDS",
        "25",
        "Processor seconds that the pictures of a request to `/api/v1/images` may take together, each no more than "
        "PHOTO_SECONDS.",
        _seconds(0.1),
    ),
    Setting("VIDEO_SECONDS", "25", "Processor seconds that a video may take; the rest of it is left out.", _seconds(0.1)),
    Setting("TEXT_SECONDS", "6", "Processor seconds that the texts of a request may take.", _seconds(0.1)),
    Setting("SPEECH_SECONDS", "25", "Processor seconds that a recording may take.", _seconds(0.1)),
    Setting("QUEUE_SECONDS", "25", "Seconds that a request may wait; where it would be longer, the answer is 503.", _seconds(1)),
    Setting(
        "GRACE_SECONDS",
        "8",
        "Seconds that running requests get to finish when the server is stopped; Docker and Cloud Run kill it after 10, Heroku "
        "after 30.",
        _seconds(0),
    ),
    Setting(
        "NOTICE",
        NOTICE,
        "Text above every form that takes a face or a voice: the European Union requires it (AI Act, Article "
        "50(3)). `off` leaves it out, for deployers who inform people elsewhere.",
        parse_notice,
    ),
    Setting("FEEDBACK", "1", "1: log feedback on predictions, one line each; 0: reject it.", _switch),
    Setting(
        "FEEDBACK_KEY",
        "",
        "Secret that signs the tokens of feedback forms, the same on all instances; by default a random one for each process.",
    ),
    Setting(
        "API_KEYS",
        "",
        "SHA-256 digests of the keys of the API, with commas or spaces between: requests to `/api/v1` and `/metrics` then need "
        "one of the keys. By default none does.",
        _keys,
        secret=True,
    ),
    Setting(
        "RATE_LIMIT",
        "0",
        "Requests a minute that a client may send to the API and to the forms of the pages, on each instance; 0: no limit.",
        _rate,
    ),
    Setting(
        "CLIENT_ADDRESS",
        "peer",
        "Where RATE_LIMIT finds the address of a client: `peer`, the other end of the connection; a number, that of the proxies "
        "in front, which append to X-Forwarded-For; `appengine`, the header of App Engine.",
        _client_address,
    ),
    Setting("METRICS", "0", "1: serve metrics in the text format of Prometheus at `/metrics`; 0: no such address.", _switch),
    Setting("CORS_ORIGINS", "", "Comma-separated origins whose pages may call the API; none by default.", _origins),
    Setting("LOG_LEVEL", "info", "`debug`, `info`, `warning` (only rejected and failed requests) or `error`.", _level),
    Setting("GOOGLE_CLOUD_PROJECT", "", "Project of the traces that log lines refer to; App Engine sets it."),
)


def read_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return name -> parsed value of every setting; an empty variable counts as unset. Raises SettingError."""
    values = {}
    for setting in SETTINGS:
        text = environ.get(setting.name, "").strip() or setting.default
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            raise SettingError(f"{setting.name}={'...' if setting.secret else text}: {error}") from None
    return values


def markdown_table() -> str:
    """Return the Markdown table of the settings, as docs/deploy.md includes it."""
    rows = [f"| `{one.name}` | {f'`{one.default}`' if one.default else ''} | {one.help} |" for one in SETTINGS]
    return "\n".join(["| variable | default | description |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    print(markdown_table())
