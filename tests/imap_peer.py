"""A private Dovecot of the test session, without a system user: one account, Maildir."""

import grp
import imaplib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilot.plugins.mail.imap import ImapServer
from tests import certificates
from tests.mail_peer import PASSWORD, USER
from tests.patience import LONG_S
from tests.servers import free_port

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/chain.pem
ssl_key = <{folder}/chain.pem
disable_plaintext_auth = no
auth_failure_delay = 0
default_internal_user = {person}
default_login_user = {person}
default_internal_group = {group}
mail_location = maildir:{folder}/mail:LAYOUT=fs
mail_access_groups =
first_valid_uid = 0
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
"""


@dataclass(frozen=True)
class ImapPeer:
    """Where the server is, and its certificate (for localhost); `put` files a message."""

    port: int
    chain: Path

    @property
    def allow(self):
        return f"127.0.0.1:{self.port}"

    def server(self, password=PASSWORD):
        return ImapServer("127.0.0.1", self.port, "none", USER, password)

    def client(self):
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=LONG_S)
        client.login(USER, PASSWORD)
        return client

    def put(self, data, mailbox="INBOX", flags="()"):
        client = self.client()
        client.create(mailbox)
        client.append(mailbox, flags, "", data)
        client.logout()

    def clear(self):
        client = self.client()
        for line in client.list()[1]:
            name = line.decode().rpartition('"/" ')[2].strip('"')
            if name == "INBOX":
                client.select(name)
                client.uid("STORE", "1:*", "+FLAGS", "(\\Deleted)")
                client.expunge()
                client.close()
            else:
                client.delete(f'"{name}"')
        client.logout()


@pytest.fixture
def imap_peer(_imap_server):
    """Give the session's mail server, emptied; the test is marked `imap`."""
    _imap_server.clear()
    return _imap_server


@pytest.fixture(scope="session")
def _imap_server(dovecot):
    person = pwd.getpwuid(os.geteuid())
    if person.pw_uid == 0:  # its processes refuse root
        person = pwd.getpwnam("nobody")
    port = int(free_port())
    folder = Path(tempfile.mkdtemp(prefix="pilot-imap-"))  # short, and others may enter its parent
    chain = certificates.write(folder / "chain.pem", "localhost")
    for path in (folder, chain):
        os.chown(path, person.pw_uid, person.pw_gid)
    facts = {"person": person.pw_name, "group": grp.getgrgid(person.pw_gid).gr_name}
    facts |= {"uid": person.pw_uid, "gid": person.pw_gid, "password": PASSWORD}
    (folder / "conf").write_text(CONFIG.format(**facts, folder=folder, port=port))
    ids = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}
    process = subprocess.Popen(
        [dovecot, "-F", "-c", str(folder / "conf")],
        stderr=subprocess.DEVNULL,
        **(ids if os.geteuid() == 0 else {}),
    )
    try:
        peer = ImapPeer(port, chain)
        _wait(peer, process, folder)
        yield peer
    finally:
        process.terminate()
        process.wait(timeout=LONG_S)
        shutil.rmtree(folder)


def _wait(peer: ImapPeer, process: subprocess.Popen, folder: Path) -> None:
    end = time.monotonic() + LONG_S
    while time.monotonic() < end and process.poll() is None:
        try:
            peer.client().logout()
        except (OSError, imaplib.IMAP4.error):
            time.sleep(0.05)
        else:
            return
    log = folder / "log"
    pytest.fail(f"Dovecot did not start: {log.read_text() if log.exists() else 'no log'}")
