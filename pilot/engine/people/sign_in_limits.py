"""How often sign-in may be tried: by account with growing delay, by address 30 times a minute.

A link for a new password may be asked for three times an hour.
"""

from math import ceil

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.errors import RateLimitedError

# Seconds to wait after 0, 1, 2, ... failures in a row: at most 5 tries in any minute. It stops
# growing at a minute, so that nobody can lock another person out for long.
DELAYS_S = (0, 0, 0, 10, 20, 40, 60)
PER_ADDRESS = 30
WINDOW_S = 60

RESETS, RESETS_OF_ADDRESS = 3, 30  # an hour

# Tries of one account, and of one address, take turns: many at once count like one by one.
_LOCK = text("SELECT pg_advisory_xact_lock(:kind, hashtext(:name))")
_FORGET = text("DELETE FROM sign_in_failure WHERE at < pilot_now() - interval '1 hour'")
_BY_ACCOUNT = text(
    "SELECT count(*) AS failures, extract(epoch FROM pilot_now() - max(at)) AS age_s"
    " FROM sign_in_failure WHERE email = :email"
)
_BY_ADDRESS = text(
    "SELECT count(*) AS failures, extract(epoch FROM pilot_now() - min(at)) AS age_s"
    " FROM sign_in_failure WHERE address = :address"
    " AND at > pilot_now() - make_interval(secs => :window_s)"
)
_ADD = text("INSERT INTO sign_in_failure (email, address) VALUES (:email, :address)")


def account(email: str) -> str:
    """Return the name under which tries are counted: what PostgreSQL can store of the e-mail."""
    return "".join(letter for letter in email.strip().lower() if letter.isprintable())[:254]


def count_attempt(session: Session, email: str, address: str) -> None:
    """Count this try as failed (a success deletes the account's), or refuse it.

    Raises:
        RateLimitedError: too early.
    """
    session.execute(_LOCK, {"kind": 1, "name": address})
    session.execute(_LOCK, {"kind": 2, "name": email})
    session.execute(_FORGET)
    tries = session.execute(_BY_ACCOUNT, {"email": email}).one()
    delay_s = DELAYS_S[min(tries.failures, len(DELAYS_S) - 1)]
    wait_s = delay_s - float(tries.age_s or 0)
    tries = session.execute(_BY_ADDRESS, {"address": address, "window_s": WINDOW_S}).one()
    if tries.failures >= PER_ADDRESS:
        wait_s = max(wait_s, WINDOW_S - float(tries.age_s))
    if wait_s > 0:
        seconds = ceil(wait_s)
        message = f"Too many attempts to sign in. Try again in {seconds} seconds."
        raise RateLimitedError(message, seconds)
    session.execute(_ADD, {"email": email, "address": address})


_FORGET_RESETS = text("DELETE FROM reset_request WHERE at < pilot_now() - interval '1 hour'")
_RESETS = text("""
SELECT count(*) FILTER (WHERE email = :email) >= :most
       OR count(*) FILTER (WHERE address = :address) >= :most_of_address AS refused,
       extract(epoch FROM min(at) + interval '1 hour' - pilot_now()) AS wait_s
  FROM reset_request WHERE email = :email OR address = :address""")
_ADD_RESET = text("INSERT INTO reset_request (email, address) VALUES (:email, :address)")


def count_reset(session: Session, email: str, address: str) -> None:
    """Count that somebody asks for a link for a new password, whether the account exists or not.

    Raises:
        RateLimitedError: too often within an hour.
    """
    session.execute(_LOCK, {"kind": 3, "name": address})
    session.execute(_LOCK, {"kind": 4, "name": email})
    session.execute(_FORGET_RESETS)
    who = {"email": email, "address": address}
    most = {"most": RESETS, "most_of_address": RESETS_OF_ADDRESS}
    found = session.execute(_RESETS, who | most).one()
    if found.refused:
        minutes = max(1, ceil(float(found.wait_s) / 60))
        message = f"Asked for too often. Try again in {minutes} min, or ask an administrator."
        raise RateLimitedError(message, minutes * 60)
    session.execute(_ADD_RESET, who)
