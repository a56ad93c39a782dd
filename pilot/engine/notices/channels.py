"""Channels besides mail: where they are, and how a message leaves by them."""

import base64
import time
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from pilot import audit, db, strictjson, vault
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.egress import Egress, Reply, retry_after
from pilot.engine.secrets import secret_handles, signatures
from pilot.errors import ErrorClass, InvalidError, Issue, NotFoundError, PluginError
from pilot.models.notice_channel import NoticeChannel

NAMES = {"webhook": "Webhook", "slack": "Slack", "teams": "Teams"}
POST_S = 20.0
MAX_TITLE, MAX_TEXT = 150, 2_900  # characters that Slack takes


@dataclass(frozen=True)
class Target:
    """Where a message goes."""

    name: str
    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Post:
    """One message by one channel; its id is its key, the same over retries."""

    id: UUID
    target: Target
    content: dict[str, Any]

    @property
    def address(self) -> str:
        """Where it goes, without what is secret."""
        return f"{self.target.name} at {urlsplit(self.target.url).netloc}"


def put(name: str, url: str, secret: str, *, by: Actor) -> None:
    """Store where a channel is, sealed; of a webhook an empty secret keeps the one before.

    Raises:
        InvalidError: this is no address, or no secret; no message repeats them.
        ConfigError: the installation has no key to seal with.
    """
    url, secret = url.strip(), secret.strip()
    with transaction("channels.put", by.user_id) as session:
        row = _found(session, name)
        kept = row is not None and row.sealed_secret is not None
        issues = _url_issues(url) + _secret_issues(name, secret, kept=kept)
        if issues:
            raise InvalidError(issues)
        if row is None:
            row = NoticeChannel(name=name, version=0)
            session.add(row)
        row.version += 1
        row.host, row.set_at = urlsplit(url).netloc, db.now()
        row.sealed_url = vault.seal(url, _place(row, "url"))
        if name == "webhook" and secret:
            row.sealed_secret = vault.seal(secret, _place(row, "secret"))
        details = {"host": row.host, "version": row.version}
        about = ("notice_channel", name)
        audit.record(session, Event.NOTICE_CHANNEL_SET, actor=by, about=about, details=details)


def remove(name: str, *, by: Actor) -> None:
    """Forget a channel: nobody is told by it any more.

    Raises:
        NotFoundError: it is not set up.
    """
    with transaction("channels.remove", by.user_id) as session:
        row = _found(session, name)
        if row is None or row.sealed_url is None:
            raise NotFoundError(f"{NAMES.get(name, name)} is not set up.")
        row.sealed_url = row.sealed_secret = None
        about = ("notice_channel", name)
        audit.record(session, Event.NOTICE_CHANNEL_REMOVED, actor=by, about=about, details={})


def listed(session: Session) -> dict[str, NoticeChannel]:
    """Return the channels that are set up, by name, without their addresses."""
    query = select(NoticeChannel).where(NoticeChannel.sealed_url.is_not(None))
    return {row.name: row for row in session.scalars(query)}


def target(session: Session, asked: dict[str, Any], owner_id: UUID) -> Target:
    """Return where a message goes: to the secret that a step names, else to the installation's.

    Raises:
        StepError: the secret does not exist, or is not for its host (class config).
        PluginError: the channel was removed (class config).
        ConfigError: a secret cannot be opened.
    """
    name, named = asked["kind"], asked.get("secret")
    if named:
        wanted = [one for one in (named, asked.get("signing")) if one]
        found = secret_handles.opened(owner_id, wanted)
        url = found[named].value
        host = urlsplit(url).netloc
        if _url_issues(url) or host.lower() not in found[named].hosts:
            text = f"The secret {named} is no address of a host that it is bound to."
            raise PluginError(ErrorClass.CONFIG, text, sent=False)
        signing = found[asked["signing"]].value if asked.get("signing") else None
        if signing and _secret_issues(name, signing, kept=False):
            text = f"The secret {asked['signing']} is no signing secret of a webhook."
            raise PluginError(ErrorClass.CONFIG, text, sent=False)
        return Target(name, url, signing)
    row = _found(session, name, lock=False)
    if row is None or row.sealed_url is None:
        raise PluginError(ErrorClass.CONFIG, f"{NAMES[name]} is not set up any more.", sent=False)
    secret = row.sealed_secret and vault.open_sealed(row.sealed_secret, _place(row, "secret"))
    return Target(name, vault.open_sealed(row.sealed_url, _place(row, "url")), secret)


def deliver(post: Post, egress: Egress) -> None:
    """Send a message.

    Raises:
        StepError: it did not arrive, or the answer is no success.
    """
    body = strictjson.dumps(SHAPES[post.target.name](post.content)).encode()
    headers = {"Content-Type": "application/json"}
    if post.target.secret:
        at = int(db.now().timestamp())
        headers |= {
            "webhook-id": str(post.id),
            "webhook-timestamp": str(at),
            "webhook-signature": signatures.sign(post.target.secret, str(post.id), at, body),
        }
    deadline = time.monotonic() + POST_S
    reply = egress.post(post.target.url, headers=headers, content=body, deadline=deadline)
    if not 200 <= reply.status < 300:
        text = f"{NAMES[post.target.name]} answered with status {reply.status}."
        wait_s = retry_after.seconds(reply.headers)
        text = f"{text} {_moved(reply)}".strip()
        raise PluginError(ErrorClass.SERVER, text, retry_after_s=wait_s)


def _moved(reply: Reply) -> str:
    """Say where a redirect leads, which no message follows, without what is secret."""
    if not (300 <= reply.status < 400 and "location" in reply.headers):
        return ""
    try:
        host = urlsplit(urljoin(reply.url, reply.headers["location"])).hostname
    except ValueError:
        host = None
    where = f"to {host[:253]}" if host else "elsewhere"
    return f"It redirects {where}: set up the address that takes messages itself."


def _as_it_is(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "url"}


def _slack(content: dict[str, Any]) -> dict[str, Any]:
    """Return blocks of plain text: nothing in it is markup, a mention or a link."""
    title = content["title"]
    parts = [content["message"], f"Decide until {_moment(content)}."]
    blocks = [{"type": "header", "text": _plain(title[:MAX_TITLE])}]
    blocks += [{"type": "section", "text": _plain(part[:MAX_TEXT])} for part in parts if part]
    button = {"type": "button", "text": _plain("Look and decide"), "url": content["url"]}
    escaped = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {
        "text": f"Approval asked: {escaped}",  # of the notification; here markup would count
        "blocks": [*blocks, {"type": "actions", "elements": [button]}],
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text or " ", "emoji": False}


def _teams(content: dict[str, Any]) -> dict[str, Any]:
    """Return an Adaptive Card of text runs, which know no markup."""
    title = {"type": "TextRun", "text": content["title"], "weight": "Bolder", "size": "Large"}
    parts = [content["message"], f"Decide until {_moment(content)}."]
    runs = [title, *({"type": "TextRun", "text": part} for part in parts if part)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": [run]} for run in runs],
        "actions": [{"type": "Action.OpenUrl", "title": "Look and decide", "url": content["url"]}],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


SHAPES = {"webhook": _as_it_is, "slack": _slack, "teams": _teams}


def _moment(content: dict[str, Any]) -> str:
    return f"{datetime.fromisoformat(content['expires_at']):%Y-%m-%d %H:%M} UTC"


def _found(session: Session, name: str, *, lock: bool = True) -> NoticeChannel | None:
    if name not in NAMES:
        raise NotFoundError("There is no such channel.")
    sealed = undefer(NoticeChannel.sealed_url), undefer(NoticeChannel.sealed_secret)
    query = select(NoticeChannel).where(NoticeChannel.name == name).options(*sealed)
    return session.scalar(query.with_for_update() if lock else query)


def _place(row: NoticeChannel, column: str) -> vault.Place:
    version = row.version if column == "url" else 1
    return vault.Place("notice_channel", f"{row.name}:{column}", version)


def _url_issues(url: str) -> list[Issue]:
    expected = "an https address such as https://hooks.example.com/1"
    good = url.isascii() and url.isprintable() and " " not in url and _is_sound(url)
    return [] if good else [Issue("channel_url", "/url", f"Give {expected}.", expected)]


def _is_sound(url: str) -> bool:
    """Say whether a message may go there; in the clear only within this machine or network."""
    try:
        parts = urlsplit(url)
        host, sound = parts.hostname or "", parts.port is None or parts.port > 0
    except ValueError:
        return False
    clear = parts.scheme == "http" and _is_private(host)
    return bool(host) and sound and not parts.username and (parts.scheme == "https" or clear)


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def _secret_issues(name: str, secret: str, *, kept: bool) -> list[Issue]:
    if name != "webhook" or (not secret and kept):
        return []
    try:
        key = base64.b64decode(secret.removeprefix(signatures.PREFIX), validate=True)
    except ValueError:
        key = b""
    if secret.startswith(signatures.PREFIX) and 24 <= len(key) <= 64:
        return []
    expected = f"{signatures.PREFIX} and 24 to 64 bytes in base64"
    return [Issue("channel_secret", "/secret", f"A signing secret is {expected}.", expected)]
