"""Every form of a source string, and what must never get through."""

import pytest

from plughost.errors import SourceError, UsageError
from plughost.source import Origin, parse

FORMS = (
    "Give `git+https://HOST/REPOSITORY.git@REF`, a folder as `./FOLDER`, a `.whl` or `.tar.gz` file, "
    "or a requirement as `NAME==1.2`"
)
COMMIT = "3f2a1c0d" * 5


@pytest.mark.parametrize(
    ("text", "url", "revision", "subdirectory"),
    [
        ("git+https://h/o/r.git", "https://h/o/r.git", "", ""),
        ("git+http://h:8080/o/r@main", "http://h:8080/o/r", "main", ""),
        ("git+ssh://git@h/o/r.git@v1.2", "ssh://git@h/o/r.git", "v1.2", ""),
        ("git+file:///srv/git/r.git@main", "file:///srv/git/r.git", "main", ""),
        ("git+file://localhost/srv/r.git", "file:///srv/r.git", "", ""),
        ("git+file:///srv/a%20b/r.git@main", "file:///srv/a%20b/r.git", "main", ""),
        (f"git+https://h/r.git@{COMMIT}", "https://h/r.git", COMMIT, ""),
        (f"git+https://h/r.git@{COMMIT.upper()}", "https://h/r.git", COMMIT, ""),
        ("git+https://h/r.git@3f2a1c0", "https://h/r.git", "3f2a1c0", ""),
        ("git+https://h/r.git@feature/x@2", "https://h/r.git", "feature/x@2", ""),
        ("git+https://h/r.git@fix%231", "https://h/r.git", "fix#1", ""),
        ("git+https://h/r@refs/tags/v1", "https://h/r", "refs/tags/v1", ""),
        ("git+https://h/r@pull/7/head", "https://h/r", "pull/7/head", ""),
        ("git+https://h/r.git@v1#subdirectory=plugins/weather", "https://h/r.git", "v1", "plugins/weather"),
        ("git+https://h/r.git#egg=r&subdirectory=./c++//x%20y/", "https://h/r.git", "", "c++/x y"),
        ("git+https://h/@team/r.git", "https://h/@team/r.git", "", ""),
        ("git+https://h/~ada@home/r.git", "https://h/~ada@home/r.git", "", ""),
        ("https://h/o/r.git", "https://h/o/r.git", "", ""),
        ("https://h/@team/r.git@v1#subdirectory=a", "https://h/@team/r.git", "v1", "a"),
        ("ssh://git@h:22/o/r", "ssh://git@h:22/o/r", "", ""),
        ("file:///srv/r.git@v1", "file:///srv/r.git", "v1", ""),
        ("git@h:o/r.git", "git@h:o/r.git", "", ""),
        ("git@h:o/r", "git@h:o/r", "", ""),
        ("git@h:/srv/r.git@v1#subdirectory=a", "git@h:/srv/r.git", "v1", "a"),
        ("git+git@h:o/r.git@feature/x", "git@h:o/r.git", "feature/x", ""),
        ("work:o/r.git", "work:o/r.git", "", ""),
        ("weather @ git+https://h/r.git@v1", "https://h/r.git", "v1", ""),
        ("weather@git+https://h/r.git@v1", "https://h/r.git", "v1", ""),
    ],
)
def test_a_repository_may_be_named_in_many_ways(text, url, revision, subdirectory):
    source = parse(text)

    assert (source.kind, source.url, source.requested_revision, source.subdirectory) == ("git", url, revision, subdirectory)
    assert parse(source.text) == source


def test_an_address_that_is_no_url_is_recorded_as_one():
    origin = Origin(kind="git", url=parse("git@h:o/r.git").url, commit_id=COMMIT)

    assert origin.direct_url()["url"] == "ssh://git@h/o/r.git"
    assert Origin(kind="requirement", requirement="weather").direct_url() == {}


def test_the_at_in_a_folders_name_is_not_the_one_before_a_revision(tmp_path):
    (tmp_path / "a@b" / "r.git@x").mkdir(parents=True)
    (tmp_path / "a@b" / "plain").mkdir()

    base = f"git+{tmp_path.as_uri()}/a@b"
    assert parse(f"{base}/r.git@x").requested_revision == ""
    assert parse(f"{base}/r.git@x@main").requested_revision == "main"
    assert parse(f"{base}/plain@feature@2").requested_revision == "feature@2"
    assert parse(f"{base}/plain@feature@2").url == f"{tmp_path.as_uri()}/a@b/plain"
    assert parse(str(tmp_path / "a@b" / "r.git@x")).path == str(tmp_path / "a@b" / "r.git@x")


@pytest.mark.parametrize("form", ["plugin", "./plugin", "../{name}/plugin", "~/plugin", "{path}/plugin/", "file://{path}/plugin"])
def test_a_folder_may_be_named_in_many_ways(form, tmp_path, monkeypatch):
    (tmp_path / "plugin").mkdir()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    text = form.format(name=tmp_path.name, path=tmp_path)
    if form == "plugin":  # a requirement, as for every installer: `./plugin` is the folder
        assert parse(text).kind == "requirement"
        return

    source = parse(text)

    assert (source.kind, source.path, source.editable) == ("folder", str(tmp_path / "plugin"), False)
    assert parse(text, editable=True).editable


def test_a_file_url_is_decoded(tmp_path):
    folder = tmp_path / "ä b@c"
    folder.mkdir()

    assert parse(folder.as_uri()).path == str(folder)


def test_a_bundle_is_a_file_here(tmp_path):
    bundle = tmp_path / "w-1.plughost"
    bundle.touch()
    assert (parse(str(bundle)).kind, parse(f"{bundle.as_uri()}#sha256=AB").sha256) == ("bundle", "ab")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("w-1-py3-none-any.whl", "wheel"), ("w-1.tar.gz", "sdist"), ("w-1.ZIP", "sdist"), ("w 1.tgz", "sdist")],
)
def test_an_archive_is_a_file_here_or_on_a_server(name, kind, tmp_path, monkeypatch):
    (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)

    assert (parse(name).kind, parse(name).path) == (kind, str(tmp_path / name))
    assert parse((tmp_path / name).as_uri() + "#sha256=AB").sha256 == "ab"
    remote = parse(f"w @ https://ada:secret@h/{name.replace(' ', '%20')}#sha256=ab")
    assert (remote.kind, remote.sha256, remote.credentials) == (kind, "ab", "ada:secret")
    assert remote.url == f"https://h/{name.replace(' ', '%20')}"


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("weather", "weather"),
        ("weather==1.2", "weather==1.2"),
        ("weather[fast, big] >=1,<2", "weather[big,fast]<2,>=1"),
        ("weather>=1 ; python_version > '3'", 'weather>=1; python_version > "3"'),
    ],
)
def test_a_requirement_is_what_has_no_other_form(text, requirement):
    assert (parse(text).kind, parse(text).requirement) == ("requirement", requirement)


@pytest.mark.parametrize(
    ("text", "credentials"),
    [
        ("git+https://s3cret@h/r.git@v1", "s3cret"),
        ("git+https://ada:s3cret%40%2F@h/r.git", "ada:s3cret@/"),
        ("https://ada:s3cret@h/w-1.whl", "ada:s3cret"),
        ("weather @ git+https://ada:s3cret@h/r.git", "ada:s3cret"),
        ("git+ssh://git:s3cret@h/r.git", ""),  # ssh takes no password from us
    ],
)
def test_credentials_stand_apart(text, credentials):
    source = parse(text)

    assert source.credentials == credentials
    assert "s3cret" not in repr(source) + source.text + source.url


@pytest.mark.parametrize(
    "text",
    [
        "git+https://ada:s3cret@h/r.git@-x",
        "git+https://ada:s3cret@h/r.git#nothing",
        "git+https://ada:s3cret@h:port/r.git",
        "git+https://ada:s3cret/s3cret@h/r.git",
        "git+ftp://ada:s3cret@h/r.git",
        "git+https://ada:s3cret@h/a b",
        "git+ssh://git:s3cret@h/r.git@-x",
        "https://ada:s3cret@h/page",
        "https://s3cret@h/page",
        "weather[a] @ https://ada:s3cret@h/w.whl",
        "weather @ git+https://ada:s3cret@h/r.git@-x",
        "ada s3cret",
    ],
)
def test_an_error_shows_no_credentials(text):
    with pytest.raises(UsageError) as raised:
        parse(text)

    assert ("s3cret" in str(raised.value)) is (text == "ada s3cret")  # that one is no credential, and shows the check works


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "It is empty or has control characters"),
        ("--upload-pack=touch X", "It begins with a dash, as an option does"),
        ("git+--upload-pack=x", "Git is not asked over `no scheme`"),
        ("git+ext::sh%20-c%20x", "Git is not asked over `ext`"),
        ("git+fd::17", "Git is not asked over `fd`"),
        ("git+https::http://h/r", "It names no host"),
        ("git+file::///srv", "A `file` URL has three slashes before an absolute path"),
        ("git+file://h/srv/r.git", "A `file` URL has three slashes before an absolute path"),
        ("git+https:///r.git", "It names no host"),
        ("git+ssh://-oProxyCommand=x/r", "Its host begins with a dash, as an option does"),
        ("git+ssh://%2DoProxyCommand=x/r", "Its host begins with a dash, as an option does"),
        ("git+ssh://git@-oProxyCommand=x/r", "Its host begins with a dash, as an option does"),
        ("git@-oProxyCommand=x:r.git", "Its host or path begins with a dash, as an option does"),
        ("git@h:--upload-pack=x/r.git", "Its host or path begins with a dash, as an option does"),
        ("git+https://h/r.git@--upload-pack=x", "Its revision `--upload-pack=x` begins with a dash, as an option does"),
        ("git+https://h/r.git@%2D-output=x", "Its revision `--output=x` begins with a dash, as an option does"),
        ("git+https://h/r.git@a%0Ab", "It has control characters"),
        ("git+https://h/r%00.git", "It has control characters"),
        ("git+https://h/r.git@", "`` is not the name of a branch, tag or commit"),
        ("git+https://h/r.git@+main:main", "`+main:main` is not the name of a branch, tag or commit"),
        ("git+https://h/r.git@main~1", "`main~1` is not the name of a branch, tag or commit"),
        ("git+https://h/r.git@a..b", "`a..b` is not the name of a branch, tag or commit"),
        ("git+https://h/r.git@*", "`*` is not the name of a branch, tag or commit"),
        ("git+https://h/r.git?ref=main", "The URL of a repository has no `?`"),
        ("git+https://h/r.git#subdirectory=../x", "Its subdirectory `../x` leads out of the repository"),
        ("git+https://h/r.git#subdirectory=a%2F..%2F..", "Its subdirectory `a/../..` leads out of the repository"),
        ("git+https://h/r.git#subdirectory=/etc", "Its subdirectory `/etc` leads out of the repository"),
        ("git+https://h/r.git#subdirectory=a%00", "Its subdirectory `a\\x00` leads out of the repository"),
        ("https://h/w-1.plughost", "A bundle is added from a file on this machine"),
        ("ftp://h/w-1.whl", "`ftp` is not a way to get a package"),
        ("weather @ ./folder", "`./folder` is no URL"),
    ],
)
def test_what_could_be_an_option_or_lead_elsewhere_is_refused(text, why):
    with pytest.raises(UsageError) as raised:
        parse(text)

    assert (raised.value.reference, raised.value.causes) == ("source-invalid", (why,))


@pytest.mark.parametrize("character", ["\n", "\0", "\x1b", "\x7f"])
def test_control_characters_are_refused_and_made_visible(character):
    with pytest.raises(UsageError) as raised:
        parse(f"git+https://h/r{character}.git")

    assert raised.value.causes == ("It is empty or has control characters",)
    assert character not in raised.value.message


def test_only_a_folder_can_be_editable():
    with pytest.raises(UsageError) as raised:
        parse("git+https://h/r.git", editable=True)

    assert str(raised.value) == (
        "`git+https://h/r.git` can't be editable\n"
        "  Caused by: Only a folder on this machine can be\n\n"
        "hint: Clone it, and add the clone with `--editable`"
    )


def test_a_path_to_nothing_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SourceError) as raised:
        parse("./weather")

    assert str(raised.value) == f"There is nothing at `{tmp_path}/weather`\n\nhint: {FORMS}"


def test_a_repository_given_as_a_path_is_told_its_url(tmp_path):
    bare = tmp_path / "r s.git"
    for name in ("HEAD", "objects", "refs"):
        (bare / name).mkdir(parents=True)

    with pytest.raises(UsageError) as bare_raised:
        parse(str(bare))
    with pytest.raises(SourceError) as revision_raised:
        parse(f"{tmp_path}@main")

    assert bare_raised.value.hint == f"Give `git+{bare.as_uri()}`"
    assert revision_raised.value.hint == f"For a revision of a repository: `git+{tmp_path.as_uri()}@main`"


def test_what_follows_the_question_mark_of_an_archives_url_is_used_and_not_shown():
    source = parse("https://h/weather-1.tar.gz?token=s3cret")

    assert (source.kind, source.url, source.text) == ("sdist", *["https://h/weather-1.tar.gz"] * 2)
    assert source.query == "token=s3cret"
    assert "s3cret" not in repr(source)
    with pytest.raises(UsageError) as raised:
        parse("https://h/weather?token=s3cret")
    assert "s3cret" not in str(raised.value)
