"""The mailboxes on this machine: found by name, a Maildir each."""

from email.message import EmailMessage
from pathlib import Path

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Call
from pilot.plugins.mail import addresses, maildir
from pilot.plugins.mail.messages import NOT_SENT_HEADER
from pilot.plugins.mail.reading import Found

DRAFTS = "Drafts"


def located(call: Call, ids: list[str]) -> list[tuple[Path, str]]:
    """Find all messages before the first is changed."""
    found: list[tuple[Path, str]] = []
    for one in ids:
        name, _, unique = one.rpartition("/")
        box = mailbox(call, name)
        maildir.find(box, unique)
        found.append((box, unique))
    return found


def mailbox(call: Call, name: str, *, make: bool = False) -> Path:
    """Return the folder of a mailbox; names are compared with those present, never joined.

    `make`: one that is not there becomes a folder, under a name that holds no path.
    """
    root = call.folder / "mail"
    boxes = {"inbox": inbox(call, call.owner_email), "sent": root / "Sent", "drafts": root / DRAFTS}
    for folder in sorted(root.glob("*@*/INBOX")):
        boxes[folder.parent.name] = folder
    for folder in sorted((root / "folders").glob("*")):
        boxes[folder.name.replace("%2E", ".")] = folder
    wanted = name.casefold()
    if wanted not in boxes:
        wanted = addresses.folder_name(name)
    if make and wanted not in boxes:
        boxes[wanted] = root / "folders" / wanted.replace(".", "%2E")  # ".." is no folder
    if wanted not in boxes:
        known = ", ".join(["INBOX", "Sent", DRAFTS, *list(boxes)[3:13]])
        message = f"There is no mailbox {name[:80]!r}. Present: {known}."
        raise PluginError(ErrorClass.NOT_FOUND, message, sent=False)
    return boxes[wanted]


def inbox(call: Call, address: str) -> Path:
    """Return where mail to an address lies, whether or not there is any."""
    return call.folder / "mail" / addresses.folder_name(address) / "INBOX"


def message(call: Call, one: str) -> Found:
    """Return a message by its id.

    Raises:
        PluginError: it is no longer there (class not_found).
    """
    ((box, unique),) = located(call, [one])
    try:
        return Found.at(maildir.find(box, unique).path)
    except FileNotFoundError:  # a reader has just moved it
        return Found.at(maildir.find(box, unique).path)


def draft(call: Call, name: str, data: bytes) -> str:
    """File a draft under its name and return its id."""
    maildir.deliver(mailbox(call, DRAFTS), name, data, call.deadline)
    return f"{DRAFTS}/{name}"


def drafted(call: Call, name: str) -> str | None:
    """Return the id of a draft, or None if there is none of this name."""
    found = any(one.unique == name for one in maildir.stored(mailbox(call, DRAFTS)))
    return f"{DRAFTS}/{name}" if found else None


def deliver(
    call: Call, name: str, message: EmailMessage, everybody: list[str], bcc: list[str]
) -> tuple[list[str], list[str]]:
    """File a mail under its name, as sent and for who is here; returns who is, and who is not."""
    local = [one for one in everybody if addresses.is_local(one, call.owner_email)]
    foreign = [one for one in everybody if one not in local]
    data = message.as_bytes()
    for address in local:
        maildir.deliver(inbox(call, address), name, data, call.deadline)
    if bcc:
        message["Bcc"] = ", ".join(bcc)
    if foreign:
        message[NOT_SENT_HEADER] = f"no mail account: {', '.join(foreign)}"
    maildir.deliver(call.folder / "mail" / "Sent", name, message.as_bytes(), call.deadline)
    return local, foreign
