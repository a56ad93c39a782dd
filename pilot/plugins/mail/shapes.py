"""What the actions of mail take and give."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from pilot.plugins import File, Model
from pilot.plugins.mail.searching import Message


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds line breaks or control characters.")
    return text


def _label(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty.")
    return _one_line(text.strip())


class FoundMail(Model):
    """Messages, newest first."""

    messages: list[Message] = Field(description="The messages found, newest first.")
    more: bool = Field(description="True when more messages match than `limit`.")


def _need_body(text: str, html: str) -> None:
    if not (text.strip() or html.strip()):
        raise ValueError("need `text` or `html`: a mail without a body is not sent.")


Text = Annotated[str, Field(max_length=1_000_000, description="The body as plain text.")]
Html = Annotated[
    str,
    Field(
        max_length=1_000_000,
        description="The body as HTML; a text version is added.",
        json_schema_extra={"format": "html"},
    ),
]
Attachments = Annotated[
    list[File],
    Field(max_length=50, description="Files as steps give them; at most 25 MB in all."),
]


class Letter(Model):
    """What a person gets to read, and who."""

    to: list[str] = Field([], max_length=100, description="One address per item.")
    cc: list[str] = Field([], max_length=100, description="Addresses that get a copy.")
    bcc: list[str] = Field([], max_length=100, description="Addresses that the others do not see.")
    subject: Annotated[str, AfterValidator(_one_line)] = Field(
        max_length=500, description="The subject, one line, e.g. Tasks due this week."
    )
    text: Text = ""
    html: Html = ""
    attachments: Attachments = Field([])

    @model_validator(mode="after")
    def _has_a_body(self) -> "Letter":
        _need_body(self.text, self.html)
        return self


class SendMail(Letter):
    """A mail to send."""

    to: list[str] = Field(min_length=1, max_length=100, description="One address per item.")


class DraftMail(Letter):
    """A mail to prepare; who gets it may be left to the person who sends it."""


class ReplyMail(Model):
    """An answer to a message."""

    id: str = Field(description="The message, by its id as search returns it.")
    all: bool = Field(
        False, description="Whether everybody gets it whom the message named, or its sender only."
    )
    text: Text = ""
    html: Html = ""
    attachments: Attachments = Field([])

    @model_validator(mode="after")
    def _has_a_body(self) -> "ReplyMail":
        _need_body(self.text, self.html)
        return self


class Drafted(Model):
    """Where a draft is."""

    id: str = Field(description="Names the draft to move and the label actions.")


class GetAttachment(Model):
    """One file of a message."""

    id: str = Field(description="The message, by its id as search returns it.")
    attachment: str = Field(description="Which of its attachments, by the id there, e.g. 1.")


class Refused(Model):
    """A recipient that the mail did not reach."""

    address: str = Field(description="The address.")
    reason: str = Field(description="Why, e.g. not sent: no mail account.")


class Sent(Model):
    """What became of a mail."""

    message_id: str = Field(description="The Message-ID header, e.g. <key@example.com>.")
    accepted: list[str] = Field(description="Addresses that got it.")
    refused: list[Refused] = Field(description="Addresses that did not get it, with the reason.")
    summary: str = Field(description="One sentence on who got it and who did not.")


class MarkRead(Model):
    """Messages to mark."""

    ids: list[str] = Field(max_length=1000, description="Ids as search returns them.")


class ChangeLabel(Model):
    """Messages and a label."""

    ids: list[str] = Field(max_length=1000, description="Ids as search returns them.")
    label: Annotated[str, AfterValidator(_label)] = Field(
        max_length=100, description="The label, e.g. shopping; case does not matter."
    )


class Changed(Model):
    """Which messages changed."""

    changed: list[str] = Field(description="Ids of the messages that were changed.")
    unchanged: list[str] = Field(description="Ids of those that were as wished already.")


class Labelled(Changed):
    """Which messages changed, and how their server keeps the label."""

    moved: list[str] = Field(
        [],
        description="Ids of those that went into a folder of the label's name: their server keeps"
        " no labels.",
    )


class Move(Model):
    """Messages and where they go."""

    ids: list[str] = Field(max_length=1000, description="Ids as search returns them.")
    mailbox: Annotated[str, AfterValidator(_label)] = Field(
        max_length=100, description="The mailbox, e.g. Archive; it is made if need be."
    )
