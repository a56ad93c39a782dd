import base64
import os
from dataclasses import astuple

import pytest

from pilot.config import Config, child_environment, embedded_redis_url
from pilot.errors import ConfigError

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
EVERYWHERE = "0.0.0.0"  # noqa: S104  read, not bound
OTHER_KEY = base64.urlsafe_b64encode(bytes(32)).decode()


def read(tmp_path, **values):
    return Config.from_env({"PILOT_DATA": str(tmp_path), **values})


def test_an_empty_environment_gives_the_defaults():
    config = Config.from_env({})
    assert (config.host, config.port, config.url) == ("127.0.0.1", 8710, "http://127.0.0.1:8710")
    assert (config.threads, config.slots, config.drain_s) == (128, 500, 20)
    assert config.data.is_absolute()
    assert config.data.name == "data"


def test_an_empty_value_counts_as_absent(tmp_path):
    assert read(tmp_path, PILOT_PORT="", DATABASE_URL="").port == 8710


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PILOT_PORT", "0"),
        ("PILOT_PORT", "65536"),
        ("PILOT_PORT", "\N{SUPERSCRIPT TWO}"),
        ("PILOT_PORT", "-1"),
        ("PILOT_SLOTS", "many"),
        ("PILOT_DRAIN_S", "1.5"),
        ("PILOT_HOST", "no host"),
        ("PILOT_ALLOW_HTTP", "yes"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("REDIS_URL", "http://localhost"),
        ("PILOT_PUBLIC_URL", "pilot.example"),
        ("PILOT_EGRESS_ALLOW", "localhost"),
        ("PILOT_EGRESS_ALLOW", "::1:8080"),
        ("PILOT_EGRESS_ALLOW", "*.example.com:443"),
        ("PILOT_EGRESS_ALLOW", "http://example.com:443"),
        ("PILOT_EGRESS_ALLOW", "example.com:\N{SUPERSCRIPT TWO}"),
        ("PILOT_SECRET_KEYS", "short"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:many"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("PILOT_SMTP_URL", "mail.example.com:25"),
        ("PILOT_SMTP_URL", "smtp://mail.example.com"),
        ("PILOT_SMTP_URL", "smtp://mail.example.com:x?from=a@b.test"),
        ("PILOT_SMTP_URL", "smtp://mail.example.com?form=a@b.test"),
        ("PILOT_SMTP_URL", "smtp://?from=a@b.test"),
    ],
)
def test_an_unusable_value_is_named_in_one_line(tmp_path, name, value):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, **{name: value})
    assert name in caught.value.message
    assert "\n" not in caught.value.message


def test_hosts_that_are_opened_are_names_and_addresses_with_their_ports(tmp_path):
    allow = ("intern_1.example:8080", "10.0.0.7:80", "[::1]:42271")
    assert read(tmp_path, PILOT_EGRESS_ALLOW=", ".join(allow)).egress_allow == allow


def test_the_embedded_servers_are_found_through_the_sockets_link(tmp_path):
    config = read(tmp_path)
    (tmp_path / "short").mkdir()
    (tmp_path / "sockets").symlink_to(tmp_path / "short")
    assert f"host={tmp_path}/short&" in config.database_url
    assert config.redis_url == embedded_redis_url(tmp_path / "short")


def test_given_servers_replace_the_embedded_ones(tmp_path):
    config = read(tmp_path, DATABASE_URL="postgresql://a@b/c", REDIS_URL="redis://d")
    assert (config.database_url, config.redis_url) == ("postgresql://a@b/c", "redis://d")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://m.test?from=a@m.test", ("m.test", 465, "tls", "", "", "a@m.test")),
        (
            "smtp://u%40m.test:p%3A@m.test:2525",
            ("m.test", 2525, "starttls", "u@m.test", "p:", "u@m.test"),
        ),
        (
            "smtp://127.0.0.1:25?from=P%C3%BC <a@m.test>",
            ("127.0.0.1", 25, "none", "", "", "Pü <a@m.test>"),
        ),
    ],
)
def test_the_mail_server_is_told_by_one_address(tmp_path, url, expected):
    assert astuple(read(tmp_path, PILOT_SMTP_URL=url).smtp) == expected


def test_secrets_are_not_in_the_text_of_a_config(tmp_path):
    secrets = {"PILOT_SECRET_KEYS": KEY, "PILOT_ADMIN_PASSWORD": "pass-w0rd"}
    secrets["PILOT_SMTP_URL"] = "smtps://me%40x.test:pass-w0rd@x.test"
    text = repr(read(tmp_path, DATABASE_URL="postgresql://a:db-pass@b/c", **secrets))
    assert not [secret for secret in (KEY, "pass-w0rd", "db-pass") if secret in text]


@pytest.mark.parametrize(
    ("host", "more", "starts"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("localhost", {}, True),
        (EVERYWHERE, {}, False),
        ("192.0.2.1", {"PILOT_PUBLIC_URL": "http://pilot.test"}, False),
        (EVERYWHERE, {"PILOT_PUBLIC_URL": "https://pilot.test"}, True),
        (EVERYWHERE, {"PILOT_ALLOW_HTTP": "1"}, True),
    ],
)
def test_a_public_address_needs_https_or_consent(tmp_path, host, more, starts):
    if starts:
        assert read(tmp_path, PILOT_HOST=host, **more).host == host
        return
    with pytest.raises(ConfigError, match="PILOT_ALLOW_HTTP"):
        read(tmp_path, PILOT_HOST=host, **more)


def test_links_use_the_public_url(tmp_path):
    config = read(tmp_path, PILOT_HOST=EVERYWHERE, PILOT_PUBLIC_URL="https://pilot.test/")
    assert config.url == "https://pilot.test"
    assert read(tmp_path, PILOT_HOST="::1").url == "http://[::1]:8710"


def test_keys_come_newest_first_from_the_environment(tmp_path):
    assert read(tmp_path, PILOT_SECRET_KEYS=f"{KEY}, {OTHER_KEY}").secret_keys == (KEY, OTHER_KEY)


def test_keys_come_from_the_data_folder_else(tmp_path):
    assert read(tmp_path).secret_keys == ()
    (tmp_path / "secret_keys").write_text(f"{KEY}\n{OTHER_KEY}\n")
    (tmp_path / "secret_keys").chmod(0o600)
    assert read(tmp_path).secret_keys == (KEY, OTHER_KEY)


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    (tmp_path / "keys").write_text(KEY)
    (tmp_path / "keys").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read(tmp_path, PILOT_SECRET_KEYS_FILE=str(tmp_path / "keys"))


def test_a_key_file_that_is_named_must_exist(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        read(tmp_path, PILOT_SECRET_KEYS_FILE=str(tmp_path / "keys"))


def test_a_child_gets_paths_that_hold_in_any_folder(monkeypatch):
    monkeypatch.setenv("PILOT_SECRET_KEYS_FILE", "keys")
    environment = child_environment({"EXTRA": "1"})
    assert environment["PILOT_SECRET_KEYS_FILE"] == f"{os.getcwd()}/keys"  # noqa: PTH109
    assert environment["EXTRA"] == "1"
    assert environment["PATH"] == os.environ["PATH"]
