"""Links with which people set a password: for whom, how often, how long."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pilot.engine.people import new_passwords, users
from pilot.errors import ConflictError, InvalidError, NotFoundError
from tests.engine.people.test_users import ORIGIN, recorded
from tests.world import PASSWORD

NEW = "another four unrelated words"


@pytest.fixture
def link(world):
    return new_passwords.give_link(world.viewer.id, by=world.admin.actor)


def signs_in(email, password):
    try:
        return users.authenticate(email, password, ORIGIN)
    except InvalidError:
        return None


@pytest.mark.capability(290)
def test_a_link_sets_the_password_of_its_person_once(world, link):
    before = world.viewer.sign_in()
    new_passwords.set_by_link(link, NEW, ORIGIN)
    assert users.session_user(before) is None
    assert signs_in(world.viewer.email, PASSWORD) is None
    assert signs_in(world.viewer.email, NEW)
    assert signs_in(world.operator.email, PASSWORD), "nobody else's is touched"
    with pytest.raises(NotFoundError, match="used already"):
        new_passwords.set_by_link(link, PASSWORD, ORIGIN)
    assert signs_in(world.viewer.email, NEW)
    events = [event for event, _ in recorded()]
    assert events.count("USER_LINK_CREATED") == events.count("USER_PASSWORD_CHANGED") == 1
    assert link not in str(recorded())


@pytest.mark.parametrize("token", [None, "", "null", "x", "\ud800", "0" * 43])
def test_without_a_link_nothing_is_set(world, token):
    for act in (
        lambda: new_passwords.opened(token),
        lambda: new_passwords.set_by_link(token, NEW, ORIGIN),
    ):
        with pytest.raises(NotFoundError):
            act()


def test_nothing_at_all_is_not_looked_up(world, superuser):
    superuser.execute(
        "INSERT INTO one_time_token VALUES (sha256(''), 'reset', DEFAULT, 'infinity')"
    )
    for token in (None, ""):
        with pytest.raises(NotFoundError):
            new_passwords.opened(token)


def test_a_link_lives_for_half_an_hour(world, link, superuser):
    left = "SELECT extract(epoch FROM expires_at - pilot_now()) FROM one_time_token"
    assert 1790 < superuser.execute(left).fetchone()[0] <= 1800
    superuser.execute("UPDATE one_time_token SET expires_at = pilot_now()")
    with pytest.raises(NotFoundError):
        new_passwords.set_by_link(link, NEW, ORIGIN)


def test_a_newer_link_ends_the_older_one_of_that_person_only(world, link):
    other = new_passwords.give_link(world.operator.id, by=world.admin.actor)
    newer = new_passwords.give_link(world.viewer.id, by=world.admin.actor)
    with pytest.raises(NotFoundError):
        new_passwords.opened(link)
    assert new_passwords.opened(newer).email == world.viewer.email
    assert new_passwords.opened(other).email == world.operator.email


def test_of_two_at_once_one_gets_through(world, link):
    def press(number):
        try:
            new_passwords.set_by_link(link, f"{NEW} {number}", ORIGIN)
        except NotFoundError:
            return None
        return f"{NEW} {number}"

    with ThreadPoolExecutor(4) as pool:
        set_ones = [one for one in pool.map(press, range(4)) if one]
    assert len(set_ones) == 1
    assert signs_in(world.viewer.email, set_ones[0])


def test_a_bad_password_leaves_the_link_usable(world, link):
    with pytest.raises(InvalidError):
        new_passwords.set_by_link(link, "short", ORIGIN)
    new_passwords.set_by_link(link, NEW, ORIGIN)


def test_a_changed_password_ends_open_links(world, link):
    new_passwords.change(world.viewer.id, PASSWORD, NEW, ORIGIN, by=world.viewer.actor)
    with pytest.raises(NotFoundError):
        new_passwords.opened(link)


def test_who_is_switched_off_gets_no_link_and_uses_none(world, link):
    users.set_active(world.viewer.id, False, by=world.admin.actor)
    with pytest.raises(NotFoundError):
        new_passwords.set_by_link(link, NEW, ORIGIN)
    with pytest.raises(ConflictError, match="switched off"):
        new_passwords.give_link(world.viewer.id, by=world.admin.actor)


def test_who_knows_the_old_password_changes_it(world):
    kept = world.viewer.sign_in()
    with pytest.raises(InvalidError, match="wrong"):
        new_passwords.change(world.viewer.id, "not it at all", NEW, ORIGIN, by=world.viewer.actor)
    new_passwords.change(world.viewer.id, PASSWORD, NEW, ORIGIN, by=world.viewer.actor)
    assert users.session_user(kept) is None
    assert signs_in(world.viewer.email, NEW)


def test_who_was_invited_cannot_sign_in_before(world):
    new = new_passwords.NewUser("ada@pilot.test", "Ada", frozenset({"viewer"}))
    _, token = new_passwords.invite(new, by=world.admin.actor)
    assert signs_in("ada@pilot.test", "") is None
    new_passwords.set_by_link(token, NEW, ORIGIN)
    assert signs_in("ada@pilot.test", NEW)
