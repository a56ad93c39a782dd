"""Codes at sign-in: the standard's own vectors, each code once, recovery codes, throttling."""

import base64
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from pilot import db, vault
from pilot.engine.people import second_factor, users
from pilot.errors import (
    CodeNeededError,
    ConflictError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
)
from tests.engine.people.test_users import ORIGIN, recorded, shift
from tests.pages import KEY
from tests.world import PASSWORD

RFC = base64.b32encode(b"12345678901234567890").decode()


@pytest.fixture(autouse=True)
def _sealing():
    vault.configure([KEY])
    yield
    vault.configure([])


def step_now():
    with db.reading(None) as session:
        return session.scalars(second_factor.STEP, {"s": second_factor.STEP_S}).one()


def code(secret, ahead=0):
    return second_factor.code_of(secret, step_now() + ahead)


@pytest.fixture
def enrolled(world):
    """Give the viewer's secret and recovery codes."""
    secret = second_factor.begin(world.viewer.id, world.viewer.email).secret
    codes = second_factor.confirm(world.viewer.id, code(secret, -1), by=world.viewer.actor)
    return secret, codes


def proof(person, password=PASSWORD):
    with pytest.raises(CodeNeededError) as needed:
        users.authenticate(person.email, password, ORIGIN)
    return needed.value.proof


@pytest.mark.parametrize(
    ("second", "expected"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(second, expected):
    assert second_factor.code_of(RFC, second // 30) == expected


@pytest.mark.capability(290)
def test_password_and_code_sign_in_and_a_code_works_once(world, enrolled):
    secret, _ = enrolled
    first, second = proof(world.viewer), proof(world.viewer)
    present = code(secret)
    with pytest.raises(NotFoundError):
        users.second_step(first, present, ORIGIN)  # a newer first step was taken
    assert users.session_user(users.second_step(second, present, ORIGIN)).id == world.viewer.id
    with pytest.raises(NotFoundError):
        users.second_step(second, code(secret, 1), ORIGIN)
    with pytest.raises(InvalidError, match="used already"):
        users.second_step(proof(world.viewer), present, ORIGIN)
    events = [event for event, _ in recorded()]
    assert events[-1] == "USER_LOGIN_FAILED"
    assert '"code":"app"' in next(text for event, text in recorded() if event == "USER_LOGIN")
    assert secret not in str(recorded())


def test_of_two_presses_with_one_code_one_gets_in(world, enrolled):
    one, present = proof(world.viewer), code(enrolled[0])

    def press(_):
        try:
            return users.second_step(one, present, ORIGIN)
        except (InvalidError, NotFoundError, RateLimitedError):
            return None

    with ThreadPoolExecutor(3) as pool:
        assert len([token for token in pool.map(press, range(3)) if token]) == 1


@pytest.mark.parametrize(("ahead", "taken"), [(-2, False), (0, True), (1, True), (3, False)])
def test_a_clock_may_be_half_a_minute_off(world, enrolled, superuser, ahead, taken):
    superuser.execute("UPDATE second_factor SET last_step = 0")
    with db.transaction("test.check", world.viewer.id) as session:
        found = second_factor.check(session, world.viewer.id, code(enrolled[0], ahead))
    assert (found == "app") is taken


@pytest.mark.capability(290)
def test_a_recovery_code_signs_in_once(world, enrolled):
    _, codes = enrolled
    assert len(set(codes)) == 10
    assert users.second_step(proof(world.viewer), codes[3].upper().replace("-", " "), ORIGIN)
    assert second_factor.left(world.viewer.id) == 9
    with pytest.raises(InvalidError):
        users.second_step(proof(world.viewer), codes[3], ORIGIN)


def test_codes_are_throttled_and_the_password_does_not_start_anew(world, enrolled, superuser):
    one = proof(world.viewer)
    for guess in ("000000", "111111"):
        with pytest.raises(InvalidError):
            users.second_step(one, guess, ORIGIN)
    with pytest.raises(RateLimitedError):
        users.second_step(one, "222222", ORIGIN)
    with pytest.raises(RateLimitedError):
        users.authenticate(world.viewer.email, PASSWORD, ORIGIN)
    shift(superuser, 61)
    assert users.second_step(one, code(enrolled[0]), ORIGIN)


@pytest.mark.parametrize("given", ["", " ", "\ud800", "x" * 10_000, "-1", "12345"])
def test_rubbish_is_no_code(world, enrolled, given):
    with pytest.raises(InvalidError):
        users.second_step(proof(world.viewer), given, ORIGIN)


def test_the_proof_of_one_person_takes_no_code_of_another(world, enrolled):
    secret = second_factor.begin(world.operator.id, world.operator.email).secret
    second_factor.confirm(world.operator.id, code(secret, -1), by=world.operator.actor)
    with pytest.raises(InvalidError):
        users.second_step(proof(world.operator), code(enrolled[0]), ORIGIN)


def test_a_set_up_that_is_not_confirmed_asks_for_nothing(world):
    made = second_factor.begin(world.viewer.id, world.viewer.email)
    assert second_factor.begin(world.viewer.id, world.viewer.email) == made
    shape = r"otpauth://totp/Pilot%3Aviewer%40pilot\.test\?secret=[A-Z2-7]{32}&issuer=Pilot"
    assert re.fullmatch(shape, made.uri)
    with pytest.raises(InvalidError):
        second_factor.confirm(world.viewer.id, "000000", by=world.viewer.actor)
    assert world.viewer.sign_in()


def test_only_what_is_sealed_or_hashed_is_stored(world, enrolled, superuser):
    kept = superuser.execute("SELECT f::text || r::text FROM second_factor f, recovery_code r")
    text = str(kept.fetchall())
    assert enrolled[0] not in text
    assert not any(one in text for one in enrolled[1])
    with db.reading(world.operator.id) as session:
        assert not second_factor.is_on(session, world.viewer.id)


def test_it_is_switched_off_with_a_code_or_by_an_administrator(world, enrolled):
    who = {"by": world.viewer.actor}
    with pytest.raises(InvalidError):
        second_factor.switch_off(world.viewer.id, code="000000", **who)
    with pytest.raises(ConflictError, match="already"):
        second_factor.begin(world.viewer.id, world.viewer.email)
    second_factor.switch_off(world.viewer.id, code=enrolled[1][0], **who)
    assert world.viewer.sign_in()
    with pytest.raises(ConflictError):
        second_factor.switch_off(world.viewer.id, code=None, by=world.admin.actor, sees_all=True)
