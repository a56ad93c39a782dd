import redis

from pilot.config import embedded_redis_url
from pilot.services import processes, valkey


def test_the_queue_server_answers_until_it_is_stopped(tmp_path):
    signals = processes.Signals()
    server = valkey.start(tmp_path, tmp_path / "log", signals)
    url = embedded_redis_url(tmp_path)
    assert valkey.answers(url)
    with redis.Redis.from_url(url) as client:
        assert client.config_get("port")["port"] == "0"
    valkey.stop(server)
    signals.close()
    assert server.returncode == 0
    assert not valkey.answers(url)


def test_a_server_that_is_away_does_not_answer():
    assert not valkey.answers("redis://127.0.0.1:1")
