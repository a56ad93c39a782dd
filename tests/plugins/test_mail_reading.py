"""Messages as senders write them: nested, damaged, hostile; none keeps a search from the others."""

import time

import pytest

HEAD = b"From: Bob <bob@x.test>\r\nTo: ann@peer.test\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
PDF = (
    b"Content-Type: application/pdf; name=a.pdf\r\n"
    b"Content-Disposition: attachment; filename=a.pdf\r\n\r\nx"
)
PLAIN, HTML = b"Content-Type: text/plain\r\n\r\nhi", b"Content-Type: text/html\r\n\r\n<p>hi"
LOGO = b"Content-Type: image/png; name=l.png\r\nContent-ID: <1>\r\n\r\nx"
SIGNATURE = b"Content-Type: application/pkcs7-signature; name=s.p7s\r\n\r\nx"
REPORT = b'Content-Type: text/html\r\nContent-Disposition: inline; filename="r.html"\r\n\r\n<p>R'


def many(subtype, *parts):
    edge = b"--%s" % subtype
    body = b"\r\n".join(edge + b"\r\n" + one for one in parts)
    return b"Content-Type: multipart/%s; boundary=%s\r\n\r\n%s\r\n%s--" % (
        subtype,
        subtype,
        body,
        edge,
    )


def mixed(*parts):
    return many(b"mixed", *parts)


@pytest.mark.parametrize(
    ("mail", "names"),
    [
        (many(b"signed", mixed(PLAIN, PDF), SIGNATURE), ["a.pdf", "s.p7s"]),
        (many(b"list", mixed(PLAIN, PDF), PLAIN), ["a.pdf", "attachment 2"]),
        (many(b"alternative", PLAIN, mixed(HTML, PDF)), ["a.pdf"]),
        (mixed(many(b"related", HTML, PDF)), ["a.pdf"]),
        (mixed(PLAIN, REPORT), ["r.html"]),
        (mixed(many(b"alternative", PLAIN, many(b"related", HTML, LOGO)), PDF), ["a.pdf"]),
        (many(b"alternative", PLAIN, many(b"related", HTML, LOGO)), []),
        (many(b"related", HTML, LOGO), ["l.png"]),
        (b"Content-Type: text/calendar; name=i.ics\r\n\r\nBEGIN", ["i.ics"]),
    ],
)
@pytest.mark.parametrize("content", ["headers", "full"])
def test_every_file_of_a_message_is_found_however_deep_it_lies(place, mail, names, content):
    place.put(HEAD + mail + b"\r\n")
    params = {"content": content, "has_attachment": bool(names)}
    (found,) = place.act("search", params)["messages"]
    assert [one["name"] for one in found["attachments"]] == names
    assert found["text"] == ("hi" if content == "full" and names != ["i.ics"] else found["text"])
    for one in found["attachments"]:
        handle = place.act("get_attachment", {"id": found["id"], "attachment": one["id"]})
        assert (handle["name"], handle["size"]) == (one["name"], one["size"])


def nested(depth, lines=1):
    parts = (
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(depth)
    )
    return b"".join(parts) + PLAIN + b"\r\nline" * lines


HOSTILE = {
    "idna": b"Content-Type: text/plain; charset=idna\r\n\r\nhallo",
    "undefined": b"Content-Type: text/plain; charset=undefined\r\n\r\nhallo",
    "punycode": b"Content-Type: text/plain; charset=punycode\r\n\r\nh\xfcllo",
    "surrogates": b"Content-Type: text/plain; charset=unicode_escape\r\n\r\nh \\ud800",
    "comments": b"Reply-To: " + b"(" * 2000 + b" a@b.c\r\n\r\nx",
    "comments of the type": b"Content-Type: text/plain; x=" + b"(" * 1900 + b"\r\n\r\nx",
    "a name": b"Content-Type: text/plain\r\nContent-Disposition: x; filename*=idna''%FC\r\n\r\nx",
    "deep": nested(1000),
    "deep and long": nested(200, 200_000),
    "words": b"Cc: " + b"=?idna?q?abc?= " * 50 + b"\r\n\r\nx",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_keeps_no_search_from_the_others(place, name):
    place.put(HEAD + b"Subject: good\r\n\r\nfine\r\n")
    place.put(HEAD + b"Subject: bad\r\n" + HOSTILE[name] + b"\r\n")
    for params in ({}, {"content": "headers"}, {"content": "full", "has_attachment": False}):
        found = place.act("search", params | {"to": "@"})["messages"]
        assert {one["subject"] for one in found} == {"good", "bad"}
        assert all(one["from"] == "Bob <bob@x.test>" for one in found)


@pytest.mark.parametrize("value", [b'"' * 20_000, b"(" * 20_000, b"<" * 20_000, b"a:" * 10_000])
@pytest.mark.parametrize("header", [b"From", b"To", b"Content-Type", b"Content-Disposition"])
def test_a_hostile_header_is_read_in_time(act, tmp_path, header, value):
    new = tmp_path / "mail/admin@localhost/INBOX/new"
    new.mkdir(parents=True)
    (new / "m1").write_bytes(header + b": " + value + b" a@b.c\nSubject: evil\n\nx\n")
    start = time.thread_time()
    assert act("mail.search", {})["messages"][0]["subject"] == "evil"
    assert time.thread_time() - start < 6


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"Subject", b"=?utf-8?b?w6k=?= " * 60_000),
        (b"X-A: b\nSubject", b"=?utf-8?b?w6k=?=\n " * 60_000),
        (b"Content-Type", b"text/plain; a=b" + b"; a=b" * 150_000),
        (b"Content-Disposition", b"attachment" + b'; filename*0="b"' * 60_000),
    ],
)
def test_a_header_of_a_megabyte_is_read_in_time(act, tmp_path, header, value):
    new = tmp_path / "mail/admin@localhost/INBOX/new"
    new.mkdir(parents=True)
    (new / "m1").write_bytes(b"From: a@b.c\n" + header + b": " + value + b"\n\nx\n")
    start = time.thread_time()
    assert act("mail.search", {})["messages"][0]["from"] == "a@b.c"
    assert time.thread_time() - start < 6


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_headers_of_bytes_beyond_ascii_are_text(place, charset):
    raw = "Subject: Überfällig\r\nFrom: Jörg Groß <j@x.test>\r\n\r\nx\r\n".encode(charset)
    place.put(b"To: ann@peer.test\r\n" + raw)
    for params in ({"subject_words": ["überfällig"]}, {"from": "JÖRG"}):
        (found,) = place.act("search", params)["messages"]
        assert (found["subject"], found["from"]) == ("Überfällig", "Jörg Groß <j@x.test>")


def test_a_long_list_of_receivers_is_read_whole(place):
    names = b", ".join(b"=?utf-8?q?M=C3=BCller=2C_A?= <a%d@x.test>" % n for n in range(200))
    place.put(b"From: b@x.test\r\nTo: " + names + b"\r\nSubject: long\r\n\r\nx\r\n")
    (found,) = place.act("search", {"to": "a199@x.test"})["messages"]
    assert found["to"] == [f"a{number}@x.test" for number in range(200)]
    assert place.act("search", {"to": "müller"})["messages"]
