from pilot.web import kit
from tests.patience import LONG_S


def test_all_templates_are_compiled_before_somebody_asks(own_app, monkeypatch):
    monkeypatch.setattr(kit, "START_S", 0)
    monkeypatch.setattr(kit, "PAUSE_S", 0)
    kit.compile_templates(own_app).join(LONG_S)
    compiled = {name for _, name in own_app.jinja_env.cache.keys()}  # noqa: SIM118 - no dict
    assert compiled == set(own_app.jinja_env.list_templates())
