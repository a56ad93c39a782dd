import time
from contextlib import suppress
from io import BytesIO
from urllib.parse import urlencode

import pytest
from flask import request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from pilot.web.requests import StrictFormParser

URLENCODED = "application/x-www-form-urlencoded"
SECONDS = 4.0  # of the processor


def test_a_form_of_too_many_fields_is_refused_before_it_is_split(browse):
    body = "&".join(f"f{number}=1" for number in range(100_000))
    response = browse().client.post(
        "/lab/form", data=body, content_type="application/x-www-form-urlencoded"
    )
    assert response.status_code == 413
    assert "1,000 fields" in response.text


def test_a_body_over_ten_megabytes_is_refused(browse):
    response = browse().client.post("/lab/form", data={"text": "x" * (10 * 1024 * 1024 + 1)})
    assert response.status_code == 413


@pytest.mark.parametrize("path", ["/no-such%00page", "/lab/stream?q=%00", "/lab/stream?%00=q"])
def test_nul_in_an_address_is_refused(browse, path):
    assert browse().get(path).status_code in {400, 404}


def test_nul_in_a_form_is_refused(browse, world):
    response = browse(world.operator).post("/lab/save", {"name": "a\x00b"})
    assert response.status_code == 400
    assert "NUL" in response.text


def test_a_form_that_is_not_utf8_is_refused(browse):
    response = browse().client.post(
        "/lab/form", data=b"name=\xff\xfe", content_type="application/x-www-form-urlencoded"
    )
    assert response.status_code == 400


@pytest.mark.parametrize("body", [b'{"id": 1}', b"true", b"[1]", b"{", b""])
def test_a_page_takes_no_json(browse, body):
    browser = browse()
    headers = {"X-CSRFToken": browser.csrf_token()}
    kind = "application/json; charset=x"
    answer = browser.client.post("/lab/form", data=body, content_type=kind, headers=headers)
    assert answer.status_code == 415
    assert browser.client.post("/lab/form", data=body, content_type=kind).status_code == 403


@pytest.mark.capability(277)
@pytest.mark.parametrize(
    "body",
    [b"%ff" * 3_000_000, b"%" * 9_000_000, b"%d0%b0" * 1_600_000, b"%41a" * 2_000_000, b"+" * 9**7],
)
def test_a_form_of_escapes_takes_no_long_time(app, body):
    begun = time.thread_time()
    sent = {"data": b"a=" + body, "content_type": URLENCODED}
    with app.test_request_context("/", method="POST", **sent), suppress(BadRequest):
        assert len(request.form["a"]) > 1_000_000
    assert time.thread_time() - begun < SECONDS


@pytest.mark.capability(277)
@pytest.mark.parametrize("head", ['; a="b"' * 600_000, "\r\nX-A: b" * 500_000])
def test_a_part_of_many_headers_is_refused_at_once(app, head):
    body = f'--x\r\nContent-Disposition: form-data; name="a"{head}\r\n\r\n1\r\n--x--\r\n'
    kind = "multipart/form-data; boundary=x"
    begun = time.thread_time()
    with (
        app.test_request_context("/", method="POST", data=body.encode(), content_type=kind),
        pytest.raises(RequestEntityTooLarge),
    ):
        assert request.form
    assert time.thread_time() - begun < SECONDS


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=20))
def test_a_form_is_read_as_it_was_written(fields):
    fields = [(name, text) for name, text in fields if is_utf8(name) and is_utf8(text)]
    body = urlencode(fields).encode()
    read = StrictFormParser().parse(BytesIO(body), URLENCODED, len(body))[1]
    assert sorted(read.items(multi=True)) == sorted(fields)


def is_utf8(text):
    return not any("\ud800" <= one <= "\udfff" for one in text)
