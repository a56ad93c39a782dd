"""The queue is an untrusted transport: it can make a worker look, and nothing else."""

import json

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from pilot import jobs
from tests.engine import worker_process as wp

STEPS = [{"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.fixture
def queue(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        yield Queue(jobs.QUEUE, connection=client, serializer=JSONSerializer)


@pytest.mark.capability(308)
def test_foreign_jobs_are_dropped_audited_and_stop_nothing(
    queue, worker_process, world, database, superuser, tmp_path
):
    made = tmp_path / "made"
    queue.enqueue("os.mkdir", args=(str(made),))
    queue.enqueue("subprocess.check_call", args=(["touch", str(made)],))
    queue.enqueue(jobs.WAKE, kwargs={"execution_id": "not\nan id"})
    queue.enqueue(jobs.WAKE, kwargs={"execution_id": str(world.admin.id)})
    queue.enqueue(jobs.WAKE, kwargs={"execution_id": "x", "more": 1})
    broken = queue.enqueue(jobs.WAKE, kwargs={"execution_id": "x"})
    queue.connection.hset(broken.key, "data", b"\x80\x04cos\nsystem\n.")
    queue.connection.rpush(queue.key, "no such job", "a\nb", "")
    forged = ["rq:worker:../../etc/passwd", 'x"\n<script>alert(1)</script>', "\xff" * 9999]
    queue.connection.sadd("rq:workers:pilot", *forged)
    queue.connection.hset(forged[0], "queues", "pilot")
    worker_process()
    wp.until(lambda: queue.count == 0)
    query = "SELECT record FROM audit WHERE event = 'SECURITY_ANOMALY_DETECTED'"
    wp.until(lambda: len(superuser.execute(query).fetchall()) >= 2)
    details = [json.loads(row[0])["details"] for row in superuser.execute(query)]
    names = [one["name"] for one in details if "name" in one]
    assert sorted(names) == sorted(name[:200] for name in forged)
    assert not set(map(str.encode, forged)) & queue.connection.smembers("rq:workers:pilot")
    named = {one["function"] for one in details if "function" in one}
    assert {"os.mkdir", "subprocess.check_call"} <= named
    assert not made.exists()

    wp.switch_on()
    execution = wp.start(wp.make_agent(world.operator.id, STEPS), world.operator.id)
    for _ in range(20):
        jobs.ring_now(execution)
    assert wp.wait_for(database, execution)[0] == "completed"
    assert len(wp.attempts(database, execution)) == 1
