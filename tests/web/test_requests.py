import pytest


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
