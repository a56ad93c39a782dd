"""`pilot secret`: read from standard input, listed without values."""

import json

from tests.cli.test_provider import CANARY, pilot  # noqa: F401  the fixture
from tests.world import person


def test_a_secret_is_set_listed_and_deleted(pilot):  # noqa: F811
    person("ann", "admin")
    assert pilot("secret", "set", "shop-key", "--host", "a.test", given=CANARY)[0] == 0
    said = pilot("--json", "secret", "list")[1]
    (one,) = json.loads(said)
    assert (one["name"], one["hosts"], one["set_at"][-1]) == ("shop-key", ["a.test"], "Z")
    assert CANARY not in said + pilot("secret", "list")[1]
    assert pilot("secret", "delete", "shop-key")[0] == 0
    assert pilot("secret", "delete", "shop-key")[0] == 3
    assert pilot("secret", "set", "shop-key", "--host", "a.test", given="short")[0] == 5
