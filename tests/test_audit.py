"""The audit trail: only appended to, only known names, every change of it found."""

import json
import threading
from io import BytesIO
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from pilot import audit, audit_bundle, db, person_keys
from pilot.audit import Actor, Event, Fault
from pilot.errors import BadJsonError
from pilot.models.audit import AuditEntry, AuditEvent

CHANGED, CUT = "the record was changed", "the end of the chain was cut off"
INSERT = (
    "INSERT INTO audit (chain, seq, at, record, prev, hash) SELECT chain, 6, at, record, hash,"
    " sha256(hash || convert_to(record, 'UTF8')) FROM audit WHERE chain = 'one' AND seq = 5"
)


@pytest.fixture
def trail(world):
    """Give two chains with five records each beside the one of the world's making."""
    with db.transaction("test.trail", None) as session:
        for number in range(5):
            for chain in ("one", "two"):
                audit.record(
                    session,
                    Event.PILOT_STEP_EXECUTED,
                    actor="worker",
                    about=("execution", chain),
                    details={"step": number, "text": "ü — \x00 {}"},
                    owner_id=world.operator.id,
                )
    return world


def verify(chains=None):
    with db.reading(None, sees_all=True) as session:
        return audit.verify(session, chains)


def records(user_id=None, **how):
    with db.reading(user_id, **how) as session:
        query = select(AuditEntry).order_by(AuditEntry.chain, AuditEntry.seq)
        return session.scalars(query).all()


@pytest.mark.capability(259)
def test_an_untouched_trail_verifies(trail):
    assert verify() == (15, [])
    assert verify(["one"]) == (5, [])
    assert verify([]) == (0, [])


def test_a_record_says_who_what_when_and_from_where(world):
    actor = Actor(f"user:{world.admin.id}", "198.51.100.9", "abc123")
    with db.transaction("test.record", world.admin.id) as session:
        about = ("agent", "a1")
        audit.record(session, Event.AGENT_DELETED, actor=actor, about=about, details={"name": "N"})
    row = records(sees_all=True)[-1]
    assert (row.chain, row.event, row.owner_id) == ("system", "AGENT_DELETED", None)
    record = json.loads(row.record)
    assert record.pop("at").endswith("Z")
    assert "198.51.100.9" not in row.record  # sealed with the person's key
    with db.reading(None) as session:
        [record["details"]] = person_keys.open_fields(session, [record["details"]])
    assert record == {
        "actor": f"user:{world.admin.id}",
        "event": "AGENT_DELETED",
        "severity": "critical",
        "object": {"type": "agent", "id": "a1"},
        "details": {"name": "N", "address": "198.51.100.9", "request_id": "abc123"},
    }


def test_secrets_do_not_enter_the_trail(world):
    with db.transaction("test.record", None) as session:
        details = {"api_key": "abc", "note": "Bearer abcdefghijklmnop"}
        audit.record(
            session, Event.AGENT_UPDATED, actor="system", about=("agent", 1), details=details
        )
    stored = json.loads(records(sees_all=True)[-1].record)["details"]
    assert stored == {"api_key": "[redacted:api_key]", "note": "Bearer [redacted:token]"}


def test_no_text_stops_a_record(world):
    texts = ["a\x00b", "\\u0000", "\\\x00", "\ud800", "\u2028"]
    with db.transaction("test.record", None) as session:
        about, details = ("agent", 1), {"texts": texts, "\x00\ud800": 1}
        audit.record(session, Event.AGENT_UPDATED, actor="system", about=about, details=details)
    stored = json.loads(records(sees_all=True)[-1].record)["details"]
    assert stored == {"texts": ["a\ufffdb", "\\u0000", "\\\ufffd", "?", "\u2028"], "\ufffd?": 1}


def test_a_rolled_back_change_leaves_no_record(trail):
    with pytest.raises(ValueError, match="no"), db.transaction("test.record", None) as session:
        audit.record(session, Event.AGENT_CREATED, actor="system", about=("agent", 1))
        raise ValueError("no")
    assert verify() == (15, [])


def test_many_records_at_once_keep_their_order(world):
    rows = [
        (chain, None, audit.entry(Event.PILOT_STEP_EXECUTED, actor="w", about=("step", number)))
        for number in range(100)
        for chain in ("b", "a")
    ]
    with db.transaction("test.append", None) as session:
        audit.append(session, rows)
    stored = [json.loads(row.record)["object"]["id"] for row in records(sees_all=True)[:100]]
    assert stored == [str(number) for number in range(100)]
    assert verify() == (205, [])


def test_an_owner_sees_the_own_executions_only(trail):
    assert {row.chain for row in records(trail.operator.id)} == {"one", "two"}
    assert records(trail.stranger.id) == []


def test_events_in_code_and_database_are_the_same(database):
    with db.reading(None) as session:
        rows = session.execute(select(AuditEvent.name, AuditEvent.severity, AuditEvent.flags))
        stored = {name: (severity, tuple(flags)) for name, severity, flags in rows}
    assert stored == {event.name: (event.severity, event.flags) for event in Event}


@pytest.mark.capability(21, 161)
def test_every_event_has_a_severity_and_known_flags():
    assert len({event.value for event in Event}) == len(Event)
    for event in Event:
        assert event.severity in {"info", "warning", "critical"}
        assert set(event.flags) <= {"SOC2", "GDPR"}
    assert Event.PILOT_STEP_FAILED.severity == "warning"
    assert Event.PILOT_EXECUTION_FAILED.severity == "critical"


def refused(statement, **values):
    with pytest.raises(DBAPIError) as error, db.transaction("test.attack", None) as session:
        session.execute(text(statement), values)
    return error.value.orig.sqlstate


@pytest.mark.capability(21, 160)
@pytest.mark.parametrize(
    "record",
    ['{"event":"NO_SUCH_EVENT"}', '{"event":null}', "{}", '{"event":"agent_created"}', "[]"],
)
def test_sql_of_the_application_cannot_record_an_unknown_event(trail, record):
    append = "SELECT audit_append(ARRAY['one'], ARRAY[NULL]::uuid[], ARRAY[:r])"
    assert refused(append, r=record) in {"23514", "23502", "22023", "22P02"}
    assert verify() == (15, [])


@pytest.mark.capability(21, 160)
def test_sql_of_the_application_cannot_invent_an_event_or_its_severity(database):
    assert refused("INSERT INTO audit_event VALUES ('X', 'info', '{}')") == "42501"
    assert refused("UPDATE audit_event SET severity = 'info'") == "42501"


@pytest.mark.capability(21)
def test_the_database_knows_three_severities(superuser):
    with pytest.raises(Exception, match="audit_event_severity_check"):
        superuser.execute("INSERT INTO audit_event VALUES ('X', 'fatal', '{}')")


@pytest.mark.capability(259)
@pytest.mark.parametrize(
    "statement",
    [
        INSERT,
        "UPDATE audit SET record = record",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "UPDATE audit_head SET seq = 1",
        "DELETE FROM audit_head",
        "INSERT INTO audit_head VALUES ('x', 1, '')",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "ALTER TABLE audit NO FORCE ROW LEVEL SECURITY",
        "DROP TABLE audit",
        "SET session_replication_role = replica",
    ],
)
def test_the_application_cannot_touch_the_trail(trail, statement):
    assert refused(statement) in {"42501", "42809"}
    assert verify() == (15, [])


@pytest.mark.capability(259)
@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET record = record", "DELETE FROM audit", "TRUNCATE audit"]
)
def test_even_the_superuser_is_refused_at_first(trail, superuser, statement):
    with pytest.raises(Exception, match="append-only"):
        superuser.execute(statement)


FLIP = (
    "UPDATE audit SET record = overlay(record placing 'x' from 30) WHERE chain = 'one' AND seq = 3"
)
REHASH = (
    "UPDATE audit SET record = record || ' ', hash = sha256(prev || convert_to(record || ' ',"
    " 'UTF8')) WHERE chain = 'one' AND seq = 3"
)
SWAP = (
    "UPDATE audit a SET record = b.record FROM audit b WHERE a.chain = 'one' AND b.chain = 'one'"
    " AND (a.seq, b.seq) IN ((2, 3), (3, 2))"
)
RENUMBER = "UPDATE audit SET seq = 9 WHERE chain = 'one' AND seq = 5"
TAMPERINGS = {
    FLIP: Fault("one", 3, "the record was changed"),
    REHASH: Fault("one", 4, "the record was changed"),
    SWAP: Fault("one", 2, "the record was changed"),
    INSERT: Fault("one", 7, "the end of the chain was cut off"),
    RENUMBER: Fault("one", 5, "a record is missing"),
    "DELETE FROM audit WHERE chain = 'one' AND seq = 1": Fault("one", 1, "a record is missing"),
    "DELETE FROM audit WHERE chain = 'one' AND seq = 3": Fault("one", 3, "a record is missing"),
    "DELETE FROM audit WHERE chain = 'one' AND seq = 5": Fault(
        "one", 5, "the end of the chain was cut off"
    ),
    "DELETE FROM audit WHERE chain = 'one'": Fault("one", 1, "the chain is missing"),
    "DELETE FROM audit_head WHERE chain = 'one'": Fault(
        "one", 6, "the end of the chain was cut off"
    ),
}


@pytest.mark.capability(259)
@pytest.mark.parametrize("statement", TAMPERINGS)
def test_what_a_superuser_tampers_with_is_named(trail, superuser, statement):
    superuser.execute("SET session_replication_role = replica")  # silences the triggers
    superuser.execute(statement)
    assert verify()[1] == [TAMPERINGS[statement]]
    assert verify(["two"]) == (5, [])


@pytest.mark.capability(259)
def test_one_flipped_bit_anywhere_is_found_offline(trail):
    links = [(row.seq, row.record, row.prev, row.hash) for row in records(trail.operator.id)[:5]]
    head = (5, links[-1][3])
    assert audit.verify_chain("one", links, head) == (5, None)
    for place, (seq, record, prev, link) in enumerate(links):
        changed = [
            (seq, record.replace("worker", "workes"), prev, link),
            (seq, record, prev, bytes([link[0] ^ 1]) + link[1:]),
            (seq + 1, record, prev, link),
            (seq, record, prev + b"\x00", link),
        ]
        for bad in changed:
            forged = [*links[:place], bad, *links[place + 1 :]]
            assert audit.verify_chain("one", forged, head)[1] is not None


def test_a_chain_without_its_head_is_not_whole():
    assert audit.verify_chain("x", [], (0, b"")) == (0, None)
    assert audit.verify_chain("x", [], None)[1] is not None


def test_what_a_command_line_did_has_no_user():
    user_id = uuid4()
    assert Actor(f"user:{user_id}").user_id == user_id
    assert Actor("cli:root").user_id is None
    assert Actor("system").user_id is None


@pytest.fixture
def exported(trail):
    """Give the lines of the exported trail."""
    with db.reading(None, sees_all=True) as session:
        return list(audit_bundle.bundle(session))


@pytest.mark.capability(259)
def test_an_exported_trail_verifies_without_a_database(exported):
    assert len(exported) == 15 + 3 + 1
    assert json.loads(exported[-1]).items() >= {"chains": 3, "records": 15}.items()
    assert audit_bundle.verify_bundle(exported) == (15, [])
    assert audit_bundle.verify_bundle(line.encode() for line in exported) == (15, [])


@pytest.mark.capability(259)
def test_each_tampering_with_an_exported_trail_is_named(exported):
    first = next(place for place, line in enumerate(exported) if '"chain":"one"' in line)
    rows, head = exported[first : first + 5], exported[first + 5]
    for lines, fault in (
        ([rows[0].replace("worker", "workes"), *rows[1:], head], Fault("one", 1, CHANGED)),
        ([rows[0], *rows[2:], head], Fault("one", 2, "a record is missing")),
        ([rows[1], rows[0], *rows[2:], head], Fault("one", 1, "a record is missing")),
        ([*rows[:4], head], Fault("one", 5, CUT)),
        (rows, Fault("one", 6, CUT)),
        ([head], Fault("one", 1, "the chain is missing")),
    ):
        forged = [*exported[:first], *lines, *exported[first + 6 :]]
        assert audit_bundle.verify_bundle(forged)[1][0] == fault


@pytest.mark.capability(259)
def test_an_export_that_was_cut_at_a_chain_is_not_complete(exported):
    for left in range(len(exported)):
        [*_, fault] = audit_bundle.verify_bundle(exported[:left])[1]
        assert (fault.chain, fault.seq) == ("export", left + 1)
        assert "nobody can tell whether it is complete" in fault.reason
    for chain in ("one", "two", "system"):
        rest = [line for line in exported if f'"chain":"{chain}"' not in line]
        expected = Fault("export", len(rest), "the end counts other chains or records")
        assert audit_bundle.verify_bundle(rest)[1] == [expected]
    assert audit_bundle.verify_bundle(["".join(exported[-1:]).replace("15", "16")])[1]


RECORDS = ['{"event":"AUDIT_PRUNED"}', '["AUDIT_PRUNED"]', "AUDIT_PRUNED {", "AUDIT_PRUNED", "{}"]
TOLD = ["7", "{}", '[7,null,["a"],["a",1],["a","1",2],[1,2,3],["a",1,2,3],["a",1.5,2]]', "[" * 70]


@pytest.mark.capability(259)
@pytest.mark.parametrize(
    "record",
    [*RECORDS, *(f'{{"event":"AUDIT_PRUNED","details":{{"emptied":{told}}}}}' for told in TOLD)],
)
def test_a_record_that_tells_nonsense_of_pruning_is_only_changed(exported, record):
    at = next(place for place, line in enumerate(exported) if '"chain":"system"' in line)
    exported[at] = json.dumps(json.loads(exported[at]) | {"record": record})
    assert audit_bundle.verify_bundle(exported)[1] == [Fault("system", 1, CHANGED)]


GOOD = {"chain": "a", "seq": 2, "prev": "", "hash": "00", "record": "{}"}
STRANGE = [None, 7, 7.5, True, [], {}, "zz"]
SHAPES = [
    *({key: value for key, value in GOOD.items() if key != name} for name in GOOD),
    *(
        GOOD | {name: value}
        for name in GOOD
        for value in STRANGE[:-1]
        if value != 7 or name != "seq"
    ),
    *(GOOD | {name: "zz"} for name in ("seq", "prev", "hash")),
    GOOD | {"more": 1},
    {"chain": "a", "head": "1", "hash": ""},
    {"chains": 1, "records": 1},
    *STRANGE,
]
BAD = [b"", b"\n", b"{", b"\xff", b'{"chain":"a","chain":"b"}', b"[" * 100, b"1e999"]


@pytest.mark.parametrize("line", [*BAD, *(json.dumps(shape).encode() for shape in SHAPES)])
def test_what_is_no_exported_trail_is_refused_with_its_line_and_place(line):
    before = json.dumps(GOOD | {"seq": 1})
    with pytest.raises(BadJsonError, match=r"^Line 2 \((after )?chain a") as refused:
        audit_bundle.verify_bundle([before, line])
    assert refused.value.message.endswith(".")
    with pytest.raises(BadJsonError, match=r"^Line 1 "):
        audit_bundle.verify_bundle([line])


def test_lines_that_are_too_much_are_refused(exported, monkeypatch):
    head = next(place for place, line in enumerate(exported) if '"head"' in line)
    for bad, told in (
        ([*exported[: head + 1], exported[head]], "another head"),
        ([*exported, exported[0]], "comes after the end"),
    ):
        with pytest.raises(BadJsonError, match=told):
            audit_bundle.verify_bundle(bad)
    monkeypatch.setattr(audit_bundle, "MAX_LINE_BYTES", 100)
    with pytest.raises(BadJsonError, match=r"Line 1 .*at most 100 are accepted"):
        audit_bundle.verify_bundle(audit_bundle.lines_of(BytesIO(b"7" * 1000)))


def test_records_that_come_while_it_is_verified_are_no_tampering(trail):
    stop = threading.Event()

    def write():
        while not stop.is_set():
            with db.transaction("test.trail", None) as session:
                audit.record(session, Event.USER_LOGIN, actor="system", about=("user", 1))

    writer = threading.Thread(target=write)
    writer.start()
    found = [verify()[1] for _ in range(20)]
    stop.set()
    writer.join()
    assert found == [[]] * 20
