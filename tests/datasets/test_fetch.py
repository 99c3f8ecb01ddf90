"""Downloads from a server on this machine: fresh, cut, resumed, damaged, malicious; and checks."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.datasets import _fetch, librispeech, ljspeech, vctk, voicebank_demand
from bench.datasets._corpus import Archive, Size
from bench.plugins import UnknownName


class Server:
    """Serves `files`; may cut answers short, ignore ranges, or answer with a page."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []  # bytes to send of the next answers
        self.ranges = True
        self.lengths = True
        self.kind = "application/octet-stream"
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self.thread.start()

    def answer(self, request):
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        if request.path not in self.files:
            request.send_error(404)
            return
        body = self.files[request.path]
        tag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
        start = 0
        if wanted and self.ranges and request.headers.get("If-Range", tag) == tag:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(body):
                request.send_response(416)
                request.send_header("Content-Range", f"bytes */{len(body)}")
                request.send_header("Content-Length", "0")
                request.end_headers()
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            request.send_response(200)
        request.send_header("ETag", tag)
        request.send_header("Content-Type", self.kind)
        if self.lengths:
            request.send_header("Content-Length", str(len(body) - start))
        request.end_headers()
        cut = self.cuts.pop(0) if self.cuts else len(body)
        request.wfile.write(body[start : start + cut])

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server():
    serving = Server()
    yield serving
    serving.close()


def tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


LJ = tar(
    {
        "LJSpeech-1.1/metadata.csv": b"LJ001-0001|Printing|Printing\n",
        "LJSpeech-1.1/wavs/LJ001-0001.wav": bytes(range(256)) * 4000,
    }
)


@pytest.fixture
def lj(server, monkeypatch):
    """The LJSpeech of one utterance, published on the server with its checksum."""
    server.files["/LJSpeech-1.1.tar.bz2"] = LJ
    publish(monkeypatch, ljspeech, {"": [(f"{server.url}/LJSpeech-1.1.tar.bz2", sha256(LJ))]})
    monkeypatch.setattr(ljspeech, "SIZES", {"ljspeech": Size(1, 1, 22050)})


def publish(monkeypatch, module, archives):
    made = {split: tuple(Archive(*pair) for pair in pairs) for split, pairs in archives.items()}
    monkeypatch.setattr(module, "ARCHIVES", made)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("lj")
def test_fresh_download_then_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    folder = _fetch.get("ljspeech")
    assert folder == tmp_path / "LJSpeech-1.1"
    record = ".bench/LJSpeech-1.1.tar.bz2.json"
    assert left(folder) == {"metadata.csv", "wavs/LJ001-0001.wav", record}
    said = json.loads((folder / record).read_text(encoding="utf-8"))
    assert (said["sha256"], said["published"]) == (sha256(LJ), True)
    assert (said["bytes"], said["files"]) == (len(LJ), 2)
    assert server.asked == [("/LJSpeech-1.1.tar.bz2", None)]
    assert [u.id for u in ljspeech.load().utterances] == ["LJ001-0001"]
    assert _fetch.get("ljspeech") == folder
    assert len(server.asked) == 1
    (folder / "wavs/LJ001-0001.wav").unlink()  # gone again: fetched again
    _fetch.get("ljspeech")
    assert len(server.asked) == 2


@pytest.mark.usefixtures("lj")
def test_a_corpus_that_is_there_already_is_not_downloaded(server, tree):
    root = tree({"metadata.csv": "LJ001-0001|a|a\n", "wavs/LJ001-0001.flac": None})
    assert _fetch.get("ljspeech", root) == root
    assert _fetch.get(f"ljspeech:root={root}") == root
    assert server.asked == []


@pytest.mark.usefixtures("lj")
def test_a_cut_download_goes_on_by_itself(server, tmp_path):
    server.cuts = [1000, 500]
    folder = _fetch.get("ljspeech", tmp_path / "lj")
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1000-", "bytes=1500-"]
    assert (folder / "wavs/LJ001-0001.wav").read_bytes() == bytes(range(256)) * 4000


@pytest.mark.usefixtures("lj")
def test_a_repeated_call_goes_on_where_the_last_one_stopped(server, tmp_path):
    server.cuts = [1000, 0]
    with pytest.raises(_fetch.FetchError, match=f"1000 of {len(LJ)} bytes are kept: repeat"):
        _fetch.get("ljspeech", tmp_path / "lj")
    assert left(tmp_path / "lj") == {
        ".bench/LJSpeech-1.1.tar.bz2.part",
        ".bench/LJSpeech-1.1.tar.bz2.tag",
    }
    server.asked.clear()
    _fetch.get("ljspeech", tmp_path / "lj")
    assert [wanted for _, wanted in server.asked] == ["bytes=1000-"]
    assert "metadata.csv" in left(tmp_path / "lj")


@pytest.mark.usefixtures("lj")
def test_what_changed_on_the_server_is_begun_anew(server, tmp_path, monkeypatch):
    server.cuts = [1000, 0]
    with pytest.raises(_fetch.FetchError):
        _fetch.get("ljspeech", tmp_path)
    newer = tar({"metadata.csv": b"LJ001-0001|b|b\n", "wavs/LJ001-0001.wav": b"new"})
    server.files["/LJSpeech-1.1.tar.bz2"] = newer
    publish(monkeypatch, ljspeech, {"": [(f"{server.url}/LJSpeech-1.1.tar.bz2", sha256(newer))]})
    assert (_fetch.get("ljspeech", tmp_path) / "wavs/LJ001-0001.wav").read_bytes() == b"new"


@pytest.mark.usefixtures("lj")
def test_a_server_without_ranges_sends_it_all_again(server, tmp_path):
    server.ranges = False
    server.cuts = [1000, 0]
    with pytest.raises(_fetch.FetchError, match="repeat the command"):
        _fetch.get("ljspeech", tmp_path)
    assert "metadata.csv" in left(_fetch.get("ljspeech", tmp_path))


@pytest.mark.usefixtures("lj")
def test_a_server_that_does_not_say_the_length(server, tmp_path):
    server.lengths = False
    assert "metadata.csv" in left(_fetch.get("ljspeech", tmp_path))
    assert len(server.asked) == 1


@pytest.mark.usefixtures("lj")
def test_a_complete_part_is_not_asked_for_again(server, tmp_path):
    (tmp_path / ".bench").mkdir()
    (tmp_path / ".bench/LJSpeech-1.1.tar.bz2.part").write_bytes(LJ)
    assert "metadata.csv" in left(_fetch.get("ljspeech", tmp_path))
    assert [wanted for _, wanted in server.asked] == [f"bytes={len(LJ)}-"]


@pytest.mark.usefixtures("lj")
def test_a_part_that_is_too_long_is_begun_anew(server, tmp_path):
    (tmp_path / ".bench").mkdir()
    (tmp_path / ".bench/LJSpeech-1.1.tar.bz2.part").write_bytes(LJ + b"more")
    assert "metadata.csv" in left(_fetch.get("ljspeech", tmp_path))
    assert [wanted for _, wanted in server.asked] == [f"bytes={len(LJ) + 4}-", None]


@pytest.mark.usefixtures("lj")
def test_a_wrong_checksum_is_refused_and_nothing_is_left(server, tmp_path):
    server.files["/LJSpeech-1.1.tar.bz2"] = LJ[:-1] + b"?"
    with pytest.raises(
        _fetch.FetchError, match=f"published: {sha256(LJ)}. The download is deleted"
    ):
        _fetch.get("ljspeech", tmp_path)
    assert left(tmp_path) == set()
    server.files["/LJSpeech-1.1.tar.bz2"] = LJ
    assert "metadata.csv" in left(_fetch.get("ljspeech", tmp_path))


@pytest.mark.usefixtures("lj")
def test_a_web_page_or_an_error_is_not_an_archive(server, tmp_path, monkeypatch):
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(_fetch.FetchError, match="a web page came instead"):
        _fetch.get("ljspeech", tmp_path)
    server.files.clear()
    with pytest.raises(_fetch.FetchError, match="the server answers 404"):
        _fetch.get("ljspeech", tmp_path)
    publish(monkeypatch, ljspeech, {"": [("file:///etc/passwd", None)]})
    with pytest.raises(_fetch.FetchError, match="wanted an http or https address"):
        _fetch.get("ljspeech", tmp_path)
    server.close()
    publish(monkeypatch, ljspeech, {"": [(f"{server.url}/x.zip", None)]})
    with pytest.raises(_fetch.FetchError, match="0 bytes are kept"):
        _fetch.get("ljspeech", tmp_path)
    assert left(tmp_path) == set()


def test_no_published_checksum_the_seen_one_is_recorded(server, tmp_path, monkeypatch):
    parts = {
        "clean_testset_wav": {"clean_testset_wav/p232_001.wav": b"c", "__MACOSX/._x": b"?"},
        "noisy_testset_wav": {"noisy_testset_wav/p232_001.wav": b"n"},
        "testset_txt": {"testset_txt/p232_001.txt": b"Please call Stella."},
    }
    for name, files in parts.items():
        server.files[f"/{name}.zip"] = zipped(files)
    pairs = [(f"{server.url}/{name}.zip", None) for name in parts]
    publish(monkeypatch, voicebank_demand, {"test": pairs})
    folder = _fetch.get("voicebank_demand", tmp_path)
    (got,) = voicebank_demand.load(str(folder)).utterances
    assert (got.audio.read_bytes(), got.input.read_bytes(), got.text) == (
        b"c",
        b"n",
        "Please call Stella.",
    )
    record = json.loads((folder / ".bench/testset_txt.zip.json").read_text(encoding="utf-8"))
    assert record["published"] is False
    assert record["sha256"] == sha256(server.files["/testset_txt.zip"])
    assert "__MACOSX" not in "".join(left(folder))
    (folder / "noisy_testset_wav/p232_001.wav").unlink()  # only this archive comes again
    server.asked.clear()
    _fetch.get("voicebank_demand", tmp_path)
    assert [path for path, _ in server.asked] == ["/noisy_testset_wav.zip"]


def test_each_split_is_its_own_archive(server, tmp_path, monkeypatch):
    name = "LibriSpeech/dev-clean/84/121123/84-121123"
    data = tar({f"{name}-0000.flac": b"x", f"{name}.trans.txt": b"84-121123-0000 GO\n"})
    server.files["/dev-clean.tar.gz"] = data
    publish(
        monkeypatch,
        librispeech,
        {"dev-clean": [(f"{server.url}/dev-clean.tar.gz", sha256(data))], "test-other": []},
    )
    folder = _fetch.get("librispeech:split=dev-clean", tmp_path)
    (got,) = librispeech.load(str(folder), split="dev-clean").utterances
    assert got.text == "GO"
    with pytest.raises(ValueError, match="no split 'dev-clear'; did you mean 'dev-clean'"):
        _fetch.get("librispeech:split=dev-clear", tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tar({"../escaped.txt": b"x"}), "outside its folder; refused"),
        (tar({"LJSpeech-1.1/../../escaped.txt": b"x"}), "outside its folder; refused"),
        (tar({"/tmp/escaped.txt": b"x"}), "outside its folder; refused"),  # noqa: S108
        (tar({"a": b"x"}, {"link": "../../escaped.txt"}), "was not unpacked"),
        (tar({}, {"link": "/etc"}), "was not unpacked"),
        (zipped({"../escaped.txt": b"x"}), "outside its folder; refused"),
        (zipped({"C:\\escaped.txt": b"x"}), "outside its folder; refused"),
        (b"this is no archive", "was not unpacked"),
        (tar({"wavs/a": bytes(9999)})[:-40], "was not unpacked"),
        (tar({}), "holds no file"),
    ],
    ids=["up", "up_inside", "root", "link_up", "link_root", "zip_up", "zip_drive", *"xyz"],
)
def test_an_archive_that_writes_elsewhere_is_refused(server, tmp_path, monkeypatch, data, said):
    server.files["/a.zip"] = data
    publish(monkeypatch, ljspeech, {"": [(f"{server.url}/a.zip", sha256(data))]})
    with pytest.raises(_fetch.FetchError, match=said):
        _fetch.get("ljspeech", tmp_path / "deep" / "lj")
    assert not list(tmp_path.rglob("escaped.txt"))
    assert not (tmp_path / "deep/lj/.bench/a.zip.json").exists()


def test_a_zip_with_a_link_is_refused(server, tmp_path, monkeypatch):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
    server.files["/a.zip"] = out.getvalue()
    publish(monkeypatch, ljspeech, {"": [(f"{server.url}/a.zip", None)]})
    with pytest.raises(_fetch.FetchError, match="'link' is a link"):
        _fetch.get("ljspeech", tmp_path)


def test_what_has_no_official_place():
    assert _fetch.get("demo").name == "demo_data"
    assert _fetch.sources("demo") == ()
    with pytest.raises(ValueError, match="'manifest' has no official place"):
        _fetch.get("manifest")
    with pytest.raises(UnknownName, match="did you mean 'vctk'"):
        _fetch.get("vctx")


def test_official_places_are_https_and_mostly_have_checksums():
    for spec in ("vctk", "ljspeech", "librispeech:split=dev-other", "libritts"):
        for archive in _fetch.sources(spec):
            assert archive.url.startswith("https://")
            assert re.fullmatch("[0-9a-f]{64}", archive.sha256)
    assert [a.sha256 for a in _fetch.sources("voicebank_demand")] == [None] * 3


def test_a_bar_is_drawn_on_a_terminal_only(tmp_path, lj, monkeypatch, capsys):
    _fetch.get("ljspeech", tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(_fetch.sys.stderr, "isatty", lambda: True, raising=False)
    _fetch.get("ljspeech", tmp_path / "loud")
    out, err = capsys.readouterr()
    assert out == ""
    assert "verify LJSpeech-1.1.tar.bz2" in err


def test_check_finds_each_kind_of_damage(tmp_path, tree, record):
    name = "wav48_silence_trimmed/{0}/{0}_{1}_mic1.flac"
    root = tree({"txt/p225/p225_001.txt": "a", "txt/p226/p226_001.txt": "b"})
    record(root / name.format("p225", "001"), rate=48000)
    record(root / name.format("p225", "002"), rate=48000)  # no text
    record(root / name.format("p226", "001"), rate=16000)
    record(root / name.format("p226", "002"), rate=48000, channels=2)
    record(root / name.format("p315", "001"), rate=48000)  # no text, as published
    record(root / name.format("p315", "002").replace("flac", "wav"), rate=48000, frames=0)
    (root / name.format("p315", "003")).write_bytes(b"not FLAC")
    problems = "\n".join(_fetch.check("vctk", root))
    assert "3 speakers; published: 110" in problems
    assert "7 utterances; published: 44455" in problems
    assert "2 utterances have no text: p225_002, p226_002" in problems
    assert "p315_003_mic1.flac" in problems
    assert "empty: " in problems
    assert "1 recordings are not mono" in problems
    assert "1 recordings are at 16000 Hz; published: 48000 Hz" in problems
    assert vctk.WITHOUT_TEXT == ("p315",)


def test_check_of_what_is_complete_or_not_there(tmp_path, tree, record, monkeypatch):
    assert _fetch.check("demo") == []
    assert _fetch.check("vctk", tmp_path / "none")[0].startswith("no folder")
    (said,) = _fetch.check("librispeech:split=dev-clean", tree({"test-other/x": ""}, "ls"))
    assert "There: test-other" in said
    (said,) = _fetch.check("librispeech:spilt=dev-clean", tmp_path)
    assert "did you mean 'split'" in said
    root = tree({"metadata.csv": "LJ001-0001|a|a\n"}, "lj")
    record(root / "wavs/LJ001-0001.wav", rate=22050)
    monkeypatch.setattr(ljspeech, "SIZES", {"ljspeech": Size(1, 1, 22050)})
    assert _fetch.check("ljspeech", root) == []
