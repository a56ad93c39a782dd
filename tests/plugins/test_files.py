"""Files of an owner: stored once, named by handles, out of reach of all others."""

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import File, Files, _files

DATA = b"%PDF-1.7 an invoice"
HASH = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path / "ann")


def save(files, data=DATA, name="invoice.pdf", media_type="application/pdf"):
    return files.save(io.BytesIO(data), name, media_type)


def kept(tmp_path, owner="ann"):
    return names(tmp_path / owner / "blobs")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def missing(files, handle):
    with pytest.raises(PluginError) as caught:
        files.open(handle)
    assert (caught.value.error_class, caught.value.sent) == (ErrorClass.NOT_FOUND, False)
    assert caught.value.message == (
        "There is no such file of yours: take the handle that a step has given."
    )


def test_what_is_stored_is_read_by_its_handle_and_kept_once(files, tmp_path):
    handle = save(files)
    assert handle == File(file=HASH, name="invoice.pdf", media_type="application/pdf", size=19)
    assert save(files, name="again.pdf").file == HASH
    with files.open(handle) as stream:
        assert stream.read() == DATA
    assert save(files, b"").size == 0
    assert kept(tmp_path) == sorted([HASH, hashlib.sha256(b"").hexdigest()])


def test_twenty_threads_that_store_the_same_leave_one_whole_file(files, tmp_path):
    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(lambda _: save(files).file, range(20)))) == 1
    assert kept(tmp_path) == [HASH]


def test_a_file_of_another_owner_an_unknown_one_and_no_hash_are_alike_not_found(files, tmp_path):
    handle = save(files)
    (tmp_path / "ann" / "table.csv").write_bytes(DATA)
    missing(Files(tmp_path / "eve"), handle)
    save(Files(tmp_path / "eve"), b"hers")
    missing(Files(tmp_path / "eve"), handle)
    wrong = ("0" * 64, "", "../table.csv", f"../../ann/blobs/{HASH}", "/etc/passwd", HASH.upper())
    for text in (*wrong, HASH[:-1], f"{HASH}\n", f"{HASH}\0", "\ud800" * 64):
        missing(files, handle.model_copy(update={"file": text}))
    missing(files, handle.model_copy(update={"size": 18}))


def test_no_link_and_nothing_but_a_file_is_opened(files, tmp_path):
    handle = save(files)
    place = tmp_path / "ann" / "blobs"
    (tmp_path / "secret").write_bytes(DATA)
    (place / HASH).unlink()
    for make in (
        lambda: (place / HASH).symlink_to(tmp_path / "secret"),
        lambda: os.mkfifo(place / HASH),
    ):
        make()
        missing(files, handle)
        (place / HASH).unlink()
    (place / HASH).mkdir()
    missing(files, handle)
    (place / HASH).rmdir()
    place.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / HASH).write_bytes(DATA)
    place.symlink_to(tmp_path / "elsewhere")
    missing(files, handle)
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        save(files, b"out")
    assert names(tmp_path / "elsewhere") == [HASH]


def test_more_than_the_bound_is_refused_while_it_streams_and_leaves_nothing(
    files, tmp_path, monkeypatch
):
    monkeypatch.setattr(_files, "MAX_BYTES", 2_000_000)
    assert save(files, bytes(2_000_000)).size == 2_000_000
    before = kept(tmp_path)

    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size=-1):
            self.taken += size
            return bytes(size)

    stream = Endless()
    with pytest.raises(PluginError, match="larger than 2 MB") as caught:
        files.save(stream, "a", "b")
    assert caught.value.error_class is ErrorClass.OUTPUT_TOO_LARGE
    assert stream.taken < 4_000_000
    assert kept(tmp_path) == before


def test_names_and_types_from_outside_become_such_as_a_handle_can_have(files):
    given = {
        "../../etc/passwd": "passwd",
        "C:\\mail\\Rechnung für März.pdf": "Rechnung für März.pdf",
        "a\r\nBcc: eve@x.test": "a Bcc: eve@x.test",
        "\u202egpj.exe": "gpj.exe",
        "": "file",
        "x/": "file",
        "long" * 100 + ".xlsx": ("long" * 100)[:195] + ".xlsx",
    }
    assert {name: save(files, name=name).name for name in given} == given
    assert save(files, media_type="Text/CSV").media_type == "text/csv"
    assert save(files, media_type="text/x\r\nBcc: e").media_type == "application/octet-stream"
