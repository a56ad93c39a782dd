"""Real goals, killed before each commit and each effect: the result is the uninterrupted one."""

import re
import shutil
from collections import Counter

import pytest
from hypothesis import settings

from pilot import strictjson
from pilot.engine import folders
from pilot.engine.approvals import approvals
from pilot.engine.demo import loading
from pilot.engine.life import starts
from tests.engine.receiving import receiving
from tests.model.ground import Still
from tests.model.watch import Watch

pytestmark = pytest.mark.crash
NIGHTLY = settings.get_current_profile_name() == "nightly"
EVERY = 1 if NIGHTLY else 3  # of the crash points
# Those that ask no model: a question to one is answered by a thread, which cannot be held here.
AGENTS = """
SELECT a.id, a.name FROM agent a JOIN workflow_version v ON (v.agent_id, v.number)
    = (a.id, a.version_number)
 WHERE a.owner_id = %s AND v.document::text NOT LIKE '%%ai_processing%%' ORDER BY a.name
"""
ENDED = "SELECT status, output FROM execution WHERE id = %s"
OWN = re.compile(r"[0-9a-f]{8}-?[0-9a-f-]{10,}")  # ids that follow from the execution's


class Office:
    """A person's files and mails, laid out anew before each execution."""

    def __init__(self, ground, folder):
        self.ground, self.spare = ground, folder / "spare"
        self.who = {"by": ground.person.actor, "user_id": ground.person.id}
        loading.load(data=ground.config.data, **self.who)
        self.home = folders.private(ground.config.data, ground.person.id)
        shutil.copytree(self.home, self.spare)

    def run(self, agent, crash_at=None):
        """Run an agent, whose worker dies before a commit or an effect; gives all that it left."""
        shutil.rmtree(self.home)
        shutil.copytree(self.spare, self.home)
        self.ground.clear()
        one = starts.start(agent, starts.Start(), **self.who)
        passed = self.work(one, crash_at)
        if crash_at is not None:
            self.ground.clock.advance(16)
            self.work(one)
        status, output = self.ground.ask(ENDED, one)[0]
        told = OWN.sub("ID", strictjson.canonical(output))
        return (status, told, self._left()), passed

    def work(self, one, crash_at=None):
        """Let a new worker go on to the end, or to where it dies; returns what it passed."""
        worker, passed = self.ground.worker(), 0
        worker.look()
        worker.loop.claim()
        while passed != crash_at:
            if worker.advance():
                passed += 1
            elif self.ground.ask(ENDED, one)[0][0] == "waiting":
                self.approve(one)
                worker.loop.claim()
            else:
                break
        worker.drop()
        return passed

    def approve(self, one):
        for approval, _, seen, is_open in Watch(self.ground).approvals(one):
            if is_open:
                approvals.decide(approval, "approved", seen_hash=seen, **self.who)

    def _left(self):
        files = [one for one in sorted(self.home.rglob("*")) if one.is_file()]
        tables = {one.name: one.read_bytes() for one in files if one.suffix == ".csv"}
        return tables, Counter(str(one.parent.relative_to(self.home)) for one in files)


@pytest.mark.capability(30, 32)
def test_a_goal_that_is_resumed_gives_what_it_gives_undisturbed(
    database, redis_url, world, superuser, tmp_path
):
    with receiving() as outside:
        ground = Still(database, redis_url, world.operator, superuser, tmp_path / "data", outside)
        office = Office(ground, tmp_path)
        compared = 0
        for agent, name in ground.ask(AGENTS, ground.person.id):
            wanted, points = office.run(agent)
            assert wanted[0] == "completed", (name, wanted)
            for crash_at in range(compared % EVERY, points, EVERY):
                got, _ = office.run(agent, crash_at)
                assert got == wanted, f"{name}, killed at {crash_at} of {points}"
                compared += 1
        assert compared >= (20 if NIGHTLY else 7)
        ground.close()
