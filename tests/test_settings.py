from contextlib import suppress
from importlib import metadata
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.settings import (
    IDC_PROXY,
    BadSettings,
    Settings,
    guess_kind,
    load,
    user_cache_folder,
    user_state_folder,
)
from dicomweb_mcp.settings.model import IDC_RELEASE


def loaded(*archives: str, environment: dict[str, str] | None = None, **more) -> Settings:
    return load(archives=archives, environment=environment or {}, **more)


def written(tmp_path: Path, text: str, **more) -> Settings:
    path = tmp_path / "archives.toml"
    path.write_text(text, encoding="utf-8")
    return load(config=path, environment=more.pop("environment", {}), **more)


def test_without_anything_it_is_idc() -> None:
    (archive,) = loaded().archives
    assert (archive.name, archive.url, archive.resolved_kind) == ("idc", IDC_PROXY, "idc")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://healthcare.googleapis.com/v1/projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb", "google"),
        ("https://healthcare.googleapis.com/v1/projects/nci-idc-data/locations/x/datasets/idc/dicomStores/s/dicomWeb", "idc-google"),
        ("https://healthcare.us-central1.rep.googleapis.com/v1/projects/p/locations/us-central1/datasets/d/dicomStores/s/dicomWeb", "google"),
        ("https://storage.googleapis.com/bucket/dicomweb", "generic"),
        ("https://healthcare.googleapis.com.evil.example/dicomWeb", "generic"),
        (IDC_PROXY, "idc"),
        ("http://host:8080/dcm4chee-arc/aets/DCM4CHEE/rs", "dcm4chee"),
        ("http://host:8042/dicom-web", "orthanc"),
        ("http://host:8042/dicom-web/", "orthanc"),
        ("https://acme.aurabox.cloud/dicomweb", "aurabox"),
        ("https://evil.example/aurabox.cloud", "generic"),
        ("https://pacs.example.org/wado", "generic"),
    ],
)  # fmt: skip
def test_the_kind_an_address_suggests(url: str, kind: str) -> None:
    assert guess_kind(url) == kind


def test_flags_in_order_the_first_is_the_default(tmp_path: Path) -> None:
    settings = loaded(
        "pacs=http://host:8042/dicom-web/", f"mine={tmp_path}", "idc", "lab=gcp:p/l/d/s", "idc-google=v24"
    )
    assert [archive.name for archive in settings.archives] == ["pacs", "mine", "idc", "lab", "idc-google"]
    pacs, mine, _, lab, google = settings.archives
    assert pacs.url == "http://host:8042/dicom-web"
    assert mine.path == tmp_path
    assert mine.resolved_kind == "folder"
    assert lab.url is not None
    assert lab.url.endswith("/v1/projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb")
    assert google.url is not None
    assert google.url.endswith("/idc-store-v24/dicomWeb")


@pytest.mark.parametrize(
    ("installed", "release"), [("31.2.0", 31), ("4", 4), (None, IDC_RELEASE), ("unknown", IDC_RELEASE)]
)
def test_the_release_at_google_is_that_of_the_index(
    installed: str | None, release: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(package: str) -> str:
        assert package == "idc-index-data"
        if installed is None:
            raise metadata.PackageNotFoundError(package)
        return installed

    monkeypatch.setattr(metadata, "version", version)
    (archive,) = loaded("idc-google").archives
    assert (archive.url or "").endswith(f"/idc-store-v{release}/dicomWeb")


def test_a_file_says_everything(tmp_path: Path) -> None:
    settings = written(
        tmp_path,
        """
        [archives.pacs]
        url = "https://pacs.example.org/dicom-web"
        kind = "orthanc"
        auth = { type = "basic", username = "alice", password_env = "PACS_PASSWORD" }
        permit = ["store"]
        ca = "/etc/ssl/hospital.pem"
        client_cert = "/etc/ssl/me.pem"
        proxy = "http://proxy.example.org:3128"
        [archives.mine]
        path = "/data/dicom"
        [archives.tok]
        url = "https://other.example.org/rs"
        auth = { type = "bearer", command = "print-token --now" }
        [archives.idc]
        daily_mb = 5_000
        [files]
        roots = ["/data/outgoing"]
        """,
    )
    pacs, mine, token, idc = settings.archives
    assert pacs.auth.username == "alice"
    assert pacs.permit == ("store",)
    assert settings.permits(pacs) == ("store",)
    assert mine.path == Path("/data/dicom").absolute()
    assert token.auth.command == ("print-token", "--now")
    assert idc.resolved_kind == "idc"
    assert idc.daily_bytes == 5_000_000_000
    assert pacs.daily_bytes is None
    assert settings.files.roots == (Path("/data/outgoing").absolute(),)


def test_the_environment_names_the_file_and_the_secrets(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[archives.my-pacs]\nurl = "https://p.example.org/rs"\n', encoding="utf-8")
    environment = {"DICOMWEB_MCP_CONFIG": str(path), "DICOMWEB_MY_PACS_TOKEN": "s3cret"}
    (archive,) = load(environment=environment).archives
    assert archive.auth.type == "bearer"
    assert archive.auth.token_env == "DICOMWEB_MY_PACS_TOKEN"
    assert "s3cret" not in repr(archive)


def test_user_and_password_from_the_environment() -> None:
    environment = {"DICOMWEB_PACS_USERNAME": "a", "DICOMWEB_PACS_PASSWORD": "b"}
    (archive,) = loaded("pacs=http://h/rs", environment=environment).archives
    assert archive.auth.type == "basic"
    with pytest.raises(BadSettings, match="both"):
        loaded("pacs=http://h/rs", environment={"DICOMWEB_PACS_USERNAME": "a"})


STORE = "https://healthcare.googleapis.com/v1/projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb"


@pytest.mark.parametrize(
    ("flag", "auth"),
    [
        ("lab=gcp:p/l/d/s", "google"),
        (f"lab={STORE}", "google"),
        (f"lab={STORE.replace('healthcare', 'HEALTHCARE')}", "google"),
        ("idc-google", "google"),
        ("idc", "none"),
        ("lab=https://storage.googleapis.com/bucket/dicomweb", "none"),
        ("lab=https://googleapis.com.evil.example/dicomWeb", "none"),
        ("lab=http://h/rs", "none"),
        ("lab=/data", "none"),
    ],
)
def test_google_is_signed_in_to_by_its_own_credentials_unless_something_else_is_said(flag: str, auth: str) -> None:
    (archive,) = loaded(flag).archives
    assert archive.auth.type == auth
    name = archive.name.upper().replace("-", "_")
    (archive,) = loaded(flag, environment={f"DICOMWEB_{name}_TOKEN": "x"}).archives
    assert archive.auth.type == "bearer"


@pytest.mark.parametrize(
    ("table", "auth"),
    [
        ("url = 'gcp:p/l/d/s'", "google"),
        ("url = 'gcp:p/l/d/s'\nauth = {type = 'none'}", "none"),
        ("url = 'gcp:p/l/d/s'\nauth = {}", "none"),
        ("url = 'gcp:p/l/d/s'\nauth = {type = 'google', quota_project = 'example.com:q'}", "google"),
        ("url = 'https://gateway.example/dicomWeb'\nkind = 'google'", "none"),
        ("url = 'https://gateway.example/dicomWeb'\nkind = 'google'\nauth = {type = 'google'}", "google"),
        ("url = 'http://127.0.0.1:1/dicomWeb'\nkind = 'google'", "none"),
        ("url = 'http://127.0.0.1:1/dicomWeb'\nauth = {type = 'google'}", "google"),
        ("url = 'http://[::1]:1/dicomWeb'\nauth = {type = 'google'}", "google"),
    ],
)
def test_a_token_of_googles_goes_elsewhere_only_when_it_is_said(tmp_path: Path, table: str, auth: str) -> None:
    (archive,) = written(tmp_path, f"[archives.lab]\n{table}").archives
    assert archive.auth.type == auth


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("gcp:my-project/us-central1/my_set/my.store-1", "my-project/locations/us-central1/datasets/my_set/dicomStores/my.store-1"),
        ("gcp:example.com:old/eu/d/s", "example.com:old/locations/eu/datasets/d/dicomStores/s"),
        ("gcp:123456789012/l/Ärzte/s", "123456789012/locations/l/datasets/%C3%84rzte/dicomStores/s"),
    ],
)  # fmt: skip
def test_stores_of_google_by_flag_and_in_a_file(tmp_path: Path, place: str, path: str) -> None:
    (by_flag,) = loaded(f"lab={place}").archives
    (in_file,) = written(tmp_path, f"[archives.lab]\nurl = '{place}'").archives
    assert by_flag == in_file
    assert by_flag.url == f"https://healthcare.googleapis.com/v1/projects/{path}/dicomWeb"
    assert by_flag.resolved_kind == "google"


def test_the_kind_of_a_google_store_can_be_overridden(tmp_path: Path) -> None:
    (archive,) = written(tmp_path, "[archives.lab]\nurl = 'gcp:p/l/d/s'\nkind = 'generic'").archives
    assert (archive.resolved_kind, archive.auth.type) == ("generic", "none")


def test_permissions_by_flag_and_none_over_http() -> None:
    settings = loaded("pacs=http://h/rs", permits=["pacs:store", "pacs:delete"])
    assert settings.permits(settings.archives[0]) == ("store", "delete")
    settings = loaded("pacs=http://h/rs", permits=["pacs:store"], http="127.0.0.1:8000")
    assert settings.permits(settings.archives[0]) == ()


def test_folders_that_look_like_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans.2020" / "in").mkdir(parents=True)
    for place in ("scans.2020/in", "new/in", "new.dcm", "./new.d/in", "../new.d/in", "C:/new.d/in"):
        (archive,) = loaded(f"a={place}").archives
        assert archive.path == tmp_path / place


@pytest.mark.parametrize(
    ("archives", "more", "says"),
    [
        (["nonsense"], {}, "NAME=URL or NAME=FOLDER"),
        (["a="], {}, "missing"),
        (["a=http://h/rs", "a=http://i/rs"], {}, "given twice"),
        (["a=http://h/rs", "A=http://i/rs"], {}, "configured twice"),
        (["9a=http://h/rs"], {}, "archive 9a: name"),
        (["a=http://alice:pw@h/rs"], {}, "password does not belong"),
        (["a=http://h/rs?x=1"], {}, "without"),
        (["a=http://"], {}, "begins with http"),
        (["a=http://h:99999/rs"], {}, "begins with http"),
        (["a=ftp://h/x"], {}, "begins with http"),
        (["a=localhost:8042/dicom-web"], {}, "did you mean a=http://localhost:8042/dicom-web"),
        (["a=127.0.0.1:8042"], {}, "did you mean a=http://127.0.0.1:8042"),
        (["a=[::1]:8042/dicom-web"], {}, "did you mean a=http://\\[::1\\]:8042"),
        (["a=pacs:8042/rs"], {}, "did you mean a=http://pacs:8042/rs"),
        (["a=pacs.example.org/dicom-web"], {}, "did you mean a=http://pacs.example.org/dicom-web"),
        (["a=http:/h/x"], {}, "begins with http"),
        (["a=HTTP:/h/x"], {}, "begins with http"),
        (["a=http://h x/rs"], {}, "begins with http"),
        (["idc-google=v"], {}, "name a release as v25"),
        (["a=~nobody-at-all/x"], {}, "no home folder"),
        (["a=~nobody-at-all\udcff/x"], {}, "no home folder"),  # how the system hands over what is not UTF-8
        ([], {"config": Path("~nobody-at-all/x.toml")}, "cannot be read: there is no home folder"),
        ([], {"config": Path("x\0.toml")}, "cannot be read"),
        (["a=gcp:p/l/d"], {}, "gcp:PROJECT"),
        (["a=gcp:p/l/d/../s"], {}, "gcp:PROJECT"),
        (["a=gcp:p/../d/s"], {}, "gcp:PROJECT"),
        (["a=gcp:p//d/s"], {}, "gcp:PROJECT"),
        (["a=gcp:/l/d/s"], {}, "gcp:PROJECT"),
        (["a=gcp:p/l/d/s/"], {}, "gcp:PROJECT"),
        (["a=gcp:p/l/d/s?x"], {}, "gcp:PROJECT"),
        (["a=gcp:p/l/d/s t"], {}, "gcp:PROJECT"),
        (["a=gcp:p/l/d%2F/s"], {}, "gcp:PROJECT"),
        (["a=gcp:a:b:p/l/d/s"], {}, "gcp:PROJECT"),
        (["a=gcp::p/l/d/s"], {}, "gcp:PROJECT"),
        (["a=gcp:p/l:x/d/s"], {}, "gcp:PROJECT"),
        (["a=gcp:nci-idc-data/us-central1/idc/idc-store-v25"], {"permits": ["a:store"]}, "can only be read"),
        (["a=http://healthcare.googleapis.com/v1/x"], {}, "needs a url that begins with https"),
        (["idc"], {"permits": ["idc:store"]}, "can only be read"),
        (["a=http://h/rs"], {"permits": ["b:store"]}, "no archive b"),
        (["a=http://h/rs"], {"permits": ["a:write"]}, "NAME:store or NAME:delete"),
        (["a=http://h/rs"], {"http": "0.0.0.0:8000"}, "loopback only"),
        (["a=http://h/rs"], {"http": "8000"}, "HOST:PORT"),
        (["a=http://h/rs"], {"http": "127.0.0.1:²"}, "HOST:PORT"),
    ],
)  # fmt: skip
def test_contradictions_end_with_a_sentence(archives: list[str], more: dict, says: str) -> None:
    with pytest.raises(BadSettings, match=says) as refusal:
        loaded(*archives, **more)
    assert "pw" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[archives.a]\nurl = 'http://h/rs'\npath = '/x'", "one of the two"),
        ("[archives.a]\nkind = 'generic'", "one of the two"),
        ("[archives.a]\nurl = 'http://h/rs'\nurk = 1", "urk"),
        ("[archives.a]\nurl = 'http://h/rs'\nauth = {type = 'basic', username = 'x'}", "password_env or command"),
        ("[archives.a]\nurl = 'http://h/rs'\nauth = {type = 'basic', password_env = 'x'}", "username or username_env"),
        ("[archives.a]\nurl = 'http://h/rs'\nauth = {type = 'header', value_env = 'x'}", "needs name"),
        ("[archives.a]\nurl = 'http://h/rs'\nauth = {type = 'magic'}", "type"),
        ("[archives.a]\nurl = 'http://h/rs'\nauth = {type = 'google'}", "needs a url that begins with https"),
        (
            "[archives.a]\nurl = 'http://127.0.0.1.evil.example/rs'\nauth = {type = 'google'}",
            "needs a url that begins with https",
        ),
        ("[archives.a]\npath = '/x'\nauth = {type = 'google'}", "needs a url that begins with https"),
        ("[archives.a]\nurl = 'https://h/rs'\nauth = {type = 'google', token_env = 'X'}", "takes no token_env"),
        ("[archives.a]\nurl = 'https://h/rs'\nauth = {type = 'google', quota_project = 'a b'}", "quota_project"),
        ("[archives.a]\nurl = 'https://h/rs'\nauth = {quota_project = 'p'}", "belongs to auth of type google"),
        ("[archives.a]\nurl = 'gcp:p/l/d'", "gcp:PROJECT"),
        ("[archives.a]\nurl = 'https://healthcare.googleapis.com/x'\nkind = ['google']", "kind"),
        ("[archives.a]\nurl = 'https://[::1/x'\nkind = 'google'", "begins with http"),
        ("[archives.a]\nurl = 'http://h/rs'\nkind = 'folder'", "needs path"),
        ("[archives.a]\npath = '/x'\nkind = 'orthanc'", "of kind folder"),
        ("[archives.idc]\ndaily_mb = 0", "archive idc: daily_mb: .*greater than 0"),
        ("[archives.idc]\ndaily_mb = -1", "archive idc: daily_mb: .*greater than 0"),
        ("[archives.idc]\ndaily_mb = true", "daily_mb: .*integer"),
        ("[archives.idc]\ndaily_mb = 0.5", "daily_mb: .*integer"),
        ("[archives.idc]\ndaily_mb = '9'", "daily_mb: .*integer"),
        ("[archives.idc-google]\ndaily_mb = 9", "archive idc-google: daily_mb is .*kind idc.*leave it out"),
        ("[archives.a]\nurl = 'http://h/rs'\ndaily_mb = 9", "leave it out"),
        ("[archives.a]\npath = '/x'\ndaily_mb = 9", "leave it out"),
        ("[archive.a]\nurl = 'http://h/rs'", "archive is not a setting"),
        ("[files]\nroot = '/x'", "files: root"),
        ("[files]\nroots = '/data'", "write a list of folders"),
        ("[files]\nroots = 5", "write a list of folders"),
        ("[files]\nroots = [5]", "a file or folder is missing or is no text"),
        ("[archives.a]\npath = ''", "a file or folder is missing"),
        ("[archives.a]\nurl = 'http://h/rs'\nca = '~nobody-at-all/ca.pem'", "archive a: ca: there is no home folder"),
        ("[archives.a]\nurl = 'http://h/rs'\nproxy = 'proxy.example'", "proxy must be an address"),
        ("[archives.a]\nurl = 'http://h/rs'\nproxy = 'socks5://h'", "proxy must be an address"),
        ("[archives.a]\nurl = 'http://h/rs'\nauth = {type = 'bearer', command = ''}", "command is empty"),
        ("a = " + "[" * 3000, "is not TOML"),
        ("archives = 3", "must be a table"),
        ("[archives]\na = 3", "write it as a table"),
        ("not toml", "is not TOML"),
    ],
)
def test_mistakes_in_a_file_name_the_setting(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadSettings, match=says):
        written(tmp_path, text)


def test_a_cache_folder_of_nobody_is_a_sentence() -> None:
    with pytest.raises(BadSettings, match="DICOMWEB_MCP_CACHE: there is no home folder"):
        user_cache_folder({"DICOMWEB_MCP_CACHE": "~nobody-at-all/cache"})


def test_places_of_our_own_can_be_named(tmp_path: Path) -> None:
    assert user_cache_folder({"DICOMWEB_MCP_CACHE": str(tmp_path)}) == tmp_path
    assert user_state_folder({"DICOMWEB_MCP_STATE": str(tmp_path)}) == tmp_path
    assert user_state_folder({}) == platformdirs.user_state_path("dicomweb-mcp")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="cannot be read"):
        load(config=tmp_path / "none.toml", environment={})


@given(st.text(max_size=60))
def test_any_flag_is_settings_or_a_sentence(flag: str) -> None:
    with suppress(BadSettings):
        assert loaded(flag).archives


def test_credentials_of_a_file_are_not_mixed_with_those_of_the_environment(tmp_path: Path) -> None:
    text = """
    [archives.pacs]
    url = "https://p.example.org/rs"
    permit = ["delete"]
    auth = { type = "basic", username = "a", password_env = "DICOMWEB_PACS_PASSWORD" }
    """
    settings = written(tmp_path, text, environment={"DICOMWEB_PACS_PASSWORD": "x"}, permits=["pacs:store"])
    assert settings.archives[0].auth.username == "a"
    assert settings.archives[0].permit == ("delete", "store")
    with pytest.raises(BadSettings, match="write permit as a list"):
        written(tmp_path, text.replace('["delete"]', '"store"'), permits=["pacs:store"])


@pytest.mark.parametrize("roots", ["'/data'", "5"])
def test_roots_that_are_no_list_are_refused_with_a_flag_too(tmp_path: Path, roots: str) -> None:
    with pytest.raises(BadSettings, match="write a list of folders"):
        written(tmp_path, f"[files]\nroots = {roots}", file_roots=[tmp_path])


def test_roots_of_flags_and_file(tmp_path: Path) -> None:
    settings = written(tmp_path, f"[files]\nroots = ['{tmp_path}/a']", file_roots=[tmp_path / "b"])
    assert settings.files.roots == (tmp_path / "b", tmp_path / "a")
