"""Anchors: what a forger with all rights to the database cannot make good again."""

import hashlib
import json
import random
import stat

import pytest

from pilot import audit, audit_bundle, ciphers, db
from pilot.audit import Event, Fault
from pilot.engine.upkeep import anchors
from pilot.engine.upkeep.anchors import FILE, FIRST, KEY_FILE, Anchor, Anchors
from pilot.errors import BadJsonError, ConfigError
from tests.engine import worker_process as wp

OFTEN = {"every_s": 0}
MISSING = "an anchor before it is missing"


def record(*chains, count=1):
    with db.transaction("test.record", None) as session:
        for number in range(count):
            for chain in chains:
                about, details = ("execution", chain), {"step": number}
                audit.record(
                    session, Event.PILOT_STEP_EXECUTED, actor="w", about=about, details=details
                )


def lines(folder):
    return (folder / FILE).read_text().splitlines()


def heads(folder):
    return [[chain for chain, *_ in json.loads(line)["heads"]] for line in lines(folder)]


def verified(marks=audit.NO_MARKS):
    with db.reading(None, sees_all=True) as session:
        return audit.verify(session, marks=marks)[1]


@pytest.mark.capability(259)
def test_each_anchor_holds_the_heads_that_changed(database, tmp_path):
    writer = Anchors(tmp_path)
    record("a", "b", count=3)
    assert writer.append() == 2
    record("b", "c")
    assert writer.append(**OFTEN) == 2
    assert writer.append(**OFTEN) == 0
    assert heads(tmp_path) == [["a", "b"], ["b", "c"]]
    checked = anchors.check(lines(tmp_path))
    assert (checked.count, checked.faults) == (2, [])
    assert sorted(checked.marks.heads["b"]) == [3, 4]
    assert verified(checked.marks) == []


def test_an_anchor_waits_for_time_or_rows(database, tmp_path):
    writer = Anchors(tmp_path)
    assert writer.append() == 0  # nothing was recorded
    record("a")
    assert writer.append() == 1
    record("a", count=9)
    assert writer.append(every_rows=10) == 0
    record("a")
    assert writer.append(every_rows=10) == 1


def test_five_minutes_are_enough_for_one_row(database, superuser, tmp_path):
    writer = Anchors(tmp_path)
    record("a")
    writer.append()
    record("a")
    assert writer.append() == 0
    superuser.execute(
        "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql AS"
        " $$SELECT clock_timestamp() + interval '301 s'$$"
    )
    assert writer.append() == 1


def test_two_processes_write_one_chain_of_anchors(database, tmp_path):
    one, other = Anchors(tmp_path), Anchors(tmp_path)
    for writer in (one, other, one, Anchors(tmp_path)):
        record("a")
        assert writer.append(**OFTEN) == 1
    assert anchors.check(lines(tmp_path)).count == 4
    assert anchors.check(lines(tmp_path)).faults == []


def test_many_heads_make_several_anchors(database, tmp_path, monkeypatch):
    monkeypatch.setattr(anchors, "HEADS", 2)
    record(*"abcde")
    assert Anchors(tmp_path).append() == 5
    assert heads(tmp_path) == [["a", "b"], ["c", "d"], ["e"]]
    assert anchors.check(lines(tmp_path)).faults == []


def test_a_line_that_a_crash_cut_short_is_written_anew(database, tmp_path):
    writer = Anchors(tmp_path)
    record("a")
    writer.append()
    with (tmp_path / FILE).open("a") as file:
        file.write('{"number": 2, "at": "20')
    record("b")
    assert writer.append(**OFTEN) == 1
    assert heads(tmp_path) == [["a"], ["b"]]


def test_a_file_that_was_moved_away_is_begun_anew_and_complete(database, tmp_path):
    writer = Anchors(tmp_path)
    record("a")
    writer.append()
    (tmp_path / FILE).rename(tmp_path / "archived")
    record("b")
    assert writer.append(**OFTEN) == 2
    assert heads(tmp_path) == [["a", "b"]]


def test_a_record_that_was_committed_late_is_anchored(database, tmp_path):
    writer = Anchors(tmp_path)
    with db.transaction("test.late", None) as session:
        about = ("execution", "late")
        audit.record(session, Event.PILOT_STEP_EXECUTED, actor="w", about=about)
        session.connection().exec_driver_sql("SELECT 1")
        with_others(writer)
    record("b")
    assert writer.append(**OFTEN) == 2
    assert heads(tmp_path) == [["a"], ["b", "late"]]


def with_others(writer):
    """Let another connection record and anchor, as another process does meanwhile."""
    with db.engine().begin() as connection:
        connection.exec_driver_sql(
            "SELECT audit_append(ARRAY['a'], ARRAY[NULL]::uuid[],"
            ' ARRAY[\'{"event":"USER_LOGIN"}\'])'
        )
    assert writer.append() == 1


def test_the_key_is_private_and_stays(database, tmp_path):
    record("a")
    Anchors(tmp_path).append()
    for name in (FILE, KEY_FILE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    key = anchors.public_text(anchors.own_key(tmp_path))
    assert anchors.check(lines(tmp_path)).key == key
    (tmp_path / KEY_FILE).chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        anchors.own_key(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o600)
    (tmp_path / KEY_FILE).write_text("no key")
    with pytest.raises(ConfigError, match="cannot be read"):
        anchors.own_key(tmp_path)
    (tmp_path / KEY_FILE).write_text("AAAA")
    with pytest.raises(ConfigError, match="holds no key, but 3 bytes"):
        anchors.own_key(tmp_path)


def test_a_folder_that_cannot_be_written_is_told(database, tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        Anchors(tmp_path / "none").append()


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"number":1,"at":"x","prev":"","heads":[]}'])
def test_what_is_no_anchor_is_refused_with_its_line(line):
    with pytest.raises(BadJsonError, match="Line 1"):
        anchors.check([line])


def test_no_anchors_are_a_fault():
    assert anchors.check([]).faults == [Fault("anchors", 1, "there is no anchor")]


@pytest.mark.capability(259)
def test_a_chain_forged_in_the_database_with_its_head_is_found(database, superuser, tmp_path):
    record("a", "b", count=3)
    Anchors(tmp_path).append()
    marks = anchors.check(lines(tmp_path)).marks
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("DELETE FROM audit WHERE chain = 'a'")
    superuser.execute("DELETE FROM audit_head WHERE chain = 'a'")
    superuser.execute("DELETE FROM audit WHERE chain = 'b' AND seq = 3")
    superuser.execute(
        "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit WHERE chain = 'b'"
        " AND seq = 2) WHERE chain = 'b'"
    )
    assert verified() == []
    assert verified(marks) == [
        Fault("b", 3, "the end of the chain was cut off"),
        Fault("a", 1, "the chain is missing"),
    ]


@pytest.mark.capability(259)
def test_a_worker_anchors_by_itself(database, redis_url, tmp_path):
    record("a")
    with wp.working(wp.config(database, redis_url, tmp_path)):
        wp.until(lambda: (tmp_path / FILE).exists() and lines(tmp_path))
    assert heads(tmp_path) == [["a"]]


def test_a_worker_goes_on_where_it_cannot_anchor(world, database, redis_url, tmp_path):
    (tmp_path / KEY_FILE).mkdir(mode=0o700)
    wp.switch_on()
    step = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}
    with wp.working(wp.config(database, redis_url, tmp_path)):
        started = wp.start(wp.make_agent(world.operator.id, [step]), world.operator.id)
        assert wp.wait_for(database, started)[0] == "completed"


class Trail:
    """An export in memory that a forger rewrites, with all hashes and heads made good again."""

    def __init__(self, exported, anchored) -> None:
        facts = [json.loads(line) for line in exported]
        self.records = {one["chain"]: [] for one in facts if "chain" in one}
        for one in facts:
            if "record" in one:
                self.records[one["chain"]].append(one["record"])
        self.anchors = list(anchored)

    def exported(self):
        """Return the lines of a bundle in which every chain is whole, and the end says so."""
        heads = []
        for chain, records in self.records.items():
            prev = b""
            for seq, line in enumerate(records, 1):
                link = hashlib.sha256(prev + line.encode()).digest()
                yield audit_bundle.line_of(chain, seq, line, prev, link)
                prev = link
            head = {"chain": chain, "head": len(records), "hash": prev.hex()}
            heads.append(json.dumps(head, separators=(",", ":")) + "\n")
            yield heads[-1]
        records = sum(map(len, self.records.values()))
        told = hashlib.sha256("".join(heads).encode()).hexdigest()
        yield json.dumps({"chains": len(heads), "records": records, "heads": told})


def edit(trail, chance):
    records = trail.records[chance.choice(list(trail.records))]
    place = chance.randrange(len(records))
    at = chance.randrange(len('{"at":"'), len(records[place]))
    letter = "x" if records[place][at] != "x" else "y"
    records[place] = records[place][:at] + letter + records[place][at + 1 :]


def delete(trail, chance):
    records = trail.records[chance.choice(list(trail.records))]
    del records[chance.randrange(len(records))]


def insert(trail, chance):
    records = trail.records[chance.choice(list(trail.records))]
    records.insert(chance.randrange(len(records)), chance.choice(records))


def swap(trail, chance):
    records = trail.records[chance.choice(list(trail.records))]
    one, other = chance.sample(range(len(records)), 2)
    records[one], records[other] = records[other], records[one]


def cut(trail, chance):
    records = trail.records[chance.choice(list(trail.records))]
    del records[chance.randrange(1, len(records)) :]


def lose_chain(trail, chance):
    del trail.records[chance.choice(list(trail.records))]


def swap_chains(trail, chance):
    one, other = chance.sample(list(trail.records), 2)
    trail.records[one], trail.records[other] = trail.records[other], trail.records[one]


def add_back_dated(trail, chance):
    line = '{"at":"2020-01-01T00:00:00.000000Z","event":"USER_LOGIN"}'
    trail.records.setdefault(chance.choice([*trail.records, "new"]), []).append(line)


def edit_anchor(trail, chance):
    place = chance.randrange(len(trail.anchors))
    anchor = json.loads(trail.anchors[place])
    name = chance.choice(["number", "at", "prev", "root", "key", "signature", "heads"])
    if name == "heads":
        chance.choice(anchor["heads"])[1] += 1
    elif name == "number":
        anchor["number"] += 1
    elif name == "at":
        anchor["at"] = "2031" + anchor["at"][4:]
    else:
        anchor[name] = ("f" if anchor[name][0] != "f" else "e") + anchor[name][1:]
    trail.anchors[place] = json.dumps(anchor)


def lose_anchor(trail, chance):
    del trail.anchors[chance.randrange(len(trail.anchors) - 1)]


def swap_anchors(trail, chance):
    one, other = chance.sample(range(len(trail.anchors)), 2)
    trail.anchors[one], trail.anchors[other] = trail.anchors[other], trail.anchors[one]


def sign_anew(trail, chance):
    """Forge a record, and sign all anchors anew with a key of one's own."""
    edit(trail, chance)
    found = [json.loads(line) for line in trail.exported()]
    hashes = {(one["chain"], one["seq"]): one["hash"] for one in found if "seq" in one}
    key, prev, forged = ciphers.new_signing_key(), FIRST, []
    for line in trail.anchors:
        old = json.loads(line)
        moved = [(chain, seq, hashes[chain, seq]) for chain, seq, _ in old["heads"]]
        anchor = Anchor(old["number"], old["at"], prev, moved)
        forged.append(anchor.line(key))
        prev = anchor.root
    assert anchors.check(forged).faults == []
    trail.anchors = forged


FORGERIES = [edit, delete, insert, swap, cut, lose_chain, swap_chains, add_back_dated]
OF_ANCHORS = [edit_anchor, lose_anchor, swap_anchors, sign_anew]


@pytest.fixture
def trail(database, superuser, tmp_path):
    """Give `trail()`: 10 chains of 6 records, anchored in three rounds, and then exported."""
    superuser.execute(
        "CREATE OR REPLACE FUNCTION pilot_now() RETURNS timestamptz LANGUAGE sql AS"
        " $$SELECT clock_timestamp() - interval '1 hour'$$"
    )
    names = [f"execution {number}" for number in range(10)]
    for _ in range(3):
        record(*names, count=2)
        Anchors(tmp_path).append(**OFTEN)
    with db.reading(None, sees_all=True) as session:
        exported = list(audit_bundle.bundle(session))
    return lambda: Trail(exported, lines(tmp_path))


def found(trail, key):
    checked = anchors.check(trail.anchors, key)
    return checked.faults + audit_bundle.verify_bundle(trail.exported(), checked.marks)[1]


@pytest.mark.capability(259)
def test_300_of_300_forgeries_are_found_offline(trail):
    key, missed, hidden = anchors.check(trail().anchors).key, [], 0
    assert found(trail(), key) == []
    for seed in range(300):
        chance, forged = random.Random(seed), trail()
        kinds = FORGERIES + OF_ANCHORS
        kinds[seed % len(kinds)](forged, chance)
        hidden += audit_bundle.verify_bundle(forged.exported())[1] == []
        if not found(forged, key):
            missed.append((seed, kinds[seed % len(kinds)].__name__))
    assert missed == []
    assert hidden == 300  # the chains alone told of none


@pytest.mark.capability(259)
@pytest.mark.parametrize(
    ("forge", "fault"),
    [
        (lambda t: t.anchors.pop(0), Fault("anchors", 1, MISSING)),
        (lambda t: t.anchors.pop(1), Fault("anchors", 2, MISSING)),
        (
            lambda t: t.records["execution 3"].pop(),
            Fault("execution 3", 6, "the end of the chain was cut off"),
        ),
        (
            lambda t: t.records["execution 3"].pop(2),
            Fault("execution 3", 4, "it or one before it differs from its anchor"),
        ),
        (lambda t: t.records.pop("execution 3"), Fault("execution 3", 1, "the chain is missing")),
    ],
)
def test_the_first_bad_place_is_named(trail, forge, fault):
    forged = trail()
    forge(forged)
    assert found(forged, None)[0] == fault
