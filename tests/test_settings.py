"""Settings: where they come from, who is stronger, what is said of mistakes, and what is shown of them."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plughost import Host
from plughost.errors import UsageError
from plughost.settings import KEYS, Settings, absolute, load, read_declared

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@pytest.fixture
def project(tmp_path):
    """`project(plughost="offline = true")` writes the files of a project, and is the folder."""

    def write(*, plughost: str | None = None, pyproject: str | None = None, user: str | None = None) -> Path:
        folder = tmp_path / "project" / "src"
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "project/plughost.toml": plughost,
            "project/pyproject.toml": pyproject,
            "config/plughost/plughost.toml": user,
        }
        for name, text in files.items():
            if text is not None:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_text(text)
        return folder

    return write


@pytest.fixture
def loaded(tmp_path, project):
    """The settings that hold in the project's folder `src`, with these files and variables."""

    def read(*, variables: dict[str, str] | None = None, **files: str) -> Settings:
        environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), **(variables or {})}
        return load(str(project(**files)), environment=environment)

    return read


def test_where_nobody_says_anything_the_defaults_hold(loaded):
    settings = loaded()
    assert {name: getattr(settings, key.attribute) for name, key in KEYS.items()} == {
        name: getattr(Settings(), key.attribute) for name, key in KEYS.items()
    }
    assert settings.origins == {}


def test_the_environment_is_stronger_than_the_project_and_that_than_the_user(loaded):
    files = {"plughost": "keep-revisions = 3\npython = '3.12'", "user": "keep-revisions = 2\npython = '3.11'\noffline = true"}
    settings = loaded(variables={"PLUGHOST_KEEP_REVISIONS": "4"}, **files)
    assert (settings.keep_revisions, settings.python, settings.offline) == (4, "3.12", True)
    levels = {name: [place.level for place in places] for name, places in settings.origins.items()}
    assert levels == {"keep-revisions": ["environment"], "python": ["project"], "offline": ["user"]}


def test_in_one_folder_plughost_toml_wins(loaded):
    assert loaded(pyproject="[tool.plughost]\nkeep-revisions = 7").keep_revisions == 7
    assert loaded(plughost="keep-revisions = 8").keep_revisions == 8


def test_a_table_of_others_is_passed_over_on_the_way_up(loaded, project):
    (project() / "pyproject.toml").write_text("[tool.other]\nplughost = true")
    assert loaded(plughost="keep-revisions = 8").keep_revisions == 8
    (project() / "pyproject.toml").write_text("[tool.plughost]\nkeep-revisions = 9")
    assert loaded().keep_revisions == 9


def test_a_pyproject_that_is_not_ours_may_be_broken(loaded):
    assert loaded(pyproject='[project]\nname = "plughost-app').keep_revisions == 5


def test_a_project_cannot_take_away_what_the_operator_demands(loaded, tmp_path):
    settings = loaded(
        user='require-signed = ["git+https://git.example.org/*"]\nallowed-signers = "signers"\naudit-service = "https://osv.example"',
        plughost='require-signed = []\nallowed-signers = "mine"\naudit-service = "https://lies.example"',
        variables={"PLUGHOST_REQUIRE_SIGNED": "*.internal *.example"},
    )
    assert settings.require_signed == ("*.internal", "*.example", "git+https://git.example.org/*")
    assert [place.level for place in settings.origins["require-signed"]] == ["environment", "project", "user"]
    assert settings.allowed_signers == str(tmp_path / "config" / "plughost" / "signers")
    assert settings.audit_service == "https://osv.example"


@pytest.mark.parametrize(
    ("users", "projects", "holds"),
    [
        ("7 days", "1 day", "user"),
        ("7 days", "", "user"),
        ("7 days", "9999-01-01", "user"),
        ("7 days", "2020-01-01", "project"),
        ("2020-01-02", "2020-01-01T12:00:00Z", "project"),
    ],
)
def test_of_two_cool_downs_the_longer_holds(loaded, users, projects, holds):
    files = {"user": f'exclude-newer = "{users}"', "plughost": f'exclude-newer = "{projects}"'}
    settings = loaded(**files)
    assert settings.exclude_newer == {"user": users, "project": projects}[holds]
    assert [place.level for place in settings.origins["exclude-newer"]] == [holds]
    assert loaded(**files, variables={"PLUGHOST_EXCLUDE_NEWER": "1 hour"}).exclude_newer == "1 hour"


def test_a_path_is_relative_to_the_file_that_it_stands_in(loaded, tmp_path):
    settings = loaded(plughost='allowed-signers = "keys/signers"\npython = "venv/bin/python"')
    assert settings.allowed_signers == str(tmp_path / "project" / "keys" / "signers")
    assert settings.python == str(tmp_path / "project" / "venv" / "bin" / "python")


@pytest.mark.parametrize(
    ("text", "cause", "hint"),
    [
        ("keep-revisions = 0", "`keep-revisions` is `0`, and takes a whole number, 1 or more", ""),
        ("keep-revisions = true", "`keep-revisions` is `true`, and takes a whole number, 1 or more", ""),
        ("offline = 'yes'", '`offline` is `"yes"`, and takes `true` or `false`', ""),
        ("installer = 'conda'", '`installer` is `"conda"`, and takes `pip` or `uv`', ""),
        ("require-signed = '*'", '`require-signed` is `"*"`, and takes a list of texts', ""),
        (
            "exclude-newer = 'soon'",
            '`exclude-newer` is `"soon"`, and takes a date such as `2026-01-31`, or a time such as `7 days`',
            "",
        ),
        ("keep_revisions = 3", "There is no setting `keep_revisions`", "Did you mean `keep-revisions`?"),
        ("offline = ", "Invalid value (at end of document)", ""),
    ],
)
def test_a_mistake_is_named_by_its_keys(loaded, text, cause, hint):
    with pytest.raises(UsageError) as caught:
        loaded(plughost=text)
    assert caught.value.reference == "settings-invalid"
    assert (caught.value.causes, caught.value.hint) == ((cause,), hint)
    assert caught.value.message.endswith("/project/plughost.toml` can't be used")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("7 days", "2026-03-08T12:00:00Z"),
        ("1 week, 2 hours", "2026-03-08T10:00:00Z"),
        ("36h", "2026-03-14T00:00:00Z"),
        ("30 minutes ago", "2026-03-15T11:30:00Z"),
        ("P1W", "2026-03-08T12:00:00Z"),
        ("P1DT12H", "2026-03-14T00:00:00Z"),
        ("99999 weeks", "1970-01-01T00:00:00Z"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("", ""),
    ],
)
def test_a_duration_becomes_the_instant_that_lies_that_long_ago(text, instant):
    assert absolute(text, now=NOW) == instant


@pytest.mark.parametrize("text", ["soon", "7", "3 months", "P1M", "P", "-7 days", "days 7"])
def test_what_is_neither_date_nor_duration_is_refused(text):
    with pytest.raises(UsageError, match="is not a date"):
        absolute(text, now=NOW)


def test_a_host_takes_from_its_settings_what_add_is_not_told(tmp_path, uv_cache, session_repository):
    store = tmp_path / "store"
    (store / "cache").mkdir(parents=True)
    (store / "cache" / "uv").symlink_to(uv_cache)
    source = session_repository("echo")
    with Host(store=store, settings=Settings(exclude_newer="7 days", installer="uv")) as host:
        assert host.add(source).plugin.receipt.request["exclude_newer"] == "7 days"
        assert not host.add(source).changed
        with pytest.raises(UsageError, match="`soon` is not a date"):
            host.add(source, exclude_newer="soon")
    with Host(store=store, settings=Settings()) as host:
        assert host.add(source).changed


def test_config_shows_each_setting_with_its_origin(plughost_command, project, tmp_path):
    folder = project(plughost="[plugins]\n# a comment\n", pyproject="", user='offline = true\nrequire-signed = ["*"]')
    (folder.parent / "plughost.toml").write_text('exclude-newer = "7 days"\n\n[plugins]\n')
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PLUGHOST_KEEP_REVISIONS": "2"}

    def config(*argv: str):
        return plughost_command("config", *argv, env=environment, cwd=folder)

    rows = {line.split()[0]: re.split(r"  +", line)[1:] for line in config().stdout.splitlines()}
    assert rows["keep-revisions"] == ["2", "PLUGHOST_KEEP_REVISIONS"]
    assert rows["exclude-newer"] == ["7 days", f"{folder.parent}/plughost.toml:1"]
    assert rows["require-signed"] == ['["*"]', f"{tmp_path}/config/plughost/plughost.toml:2"]
    assert rows["python"] == ["-", "default"]
    assert config("offline").stdout == "true\n"
    assert config("python").stdout == ""
    assert config("offline", "--json").json() == {
        "key": "offline",
        "value": True,
        "origins": [{"level": "user", "path": f"{tmp_path}/config/plughost/plughost.toml", "line": 1}],
    }
    assert [record["key"] for record in config("--json").json()] == list(KEYS)
    unknown = config("offlin")
    assert unknown.returncode == 2
    assert "Did you mean `offline` or `policy`?" in unknown.stderr


def test_the_page_has_every_key_with_its_default():
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) \| (.*?) ?\| ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name, _, _ in rows] == list(KEYS)
    for name, takes, default in rows:
        value = getattr(Settings(), KEYS[name].attribute)
        shown = str(value).lower() if isinstance(value, bool) else "[]" if value == () else str(value)
        assert default == f"`{shown}`" or not value
        assert all(f"`{choice}`" in takes for choice in KEYS[name].choices)


def test_where_nothing_is_set_no_reader_of_toml_is_imported(tmp_path):
    code = (
        "import sys; from plughost.settings import load; load(sys.argv[1], environment={'XDG_CONFIG_HOME': sys.argv[1]}); "
        "print(sorted({'dataclasses', 'pathlib', 're', 'tomllib', 'typing'} & sys.modules.keys()))"
    )
    argv = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}", str(tmp_path)]
    assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout == "[]\n"


def test_a_file_without_the_keys_that_are_asked_for_is_not_parsed(project, tmp_path):
    folder = str(project(plughost="no TOML at all"))
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "PLUGHOST_OFFLINE": "perhaps"}
    assert load(folder, only=["record-calls"], environment=environment).record_calls
    project(plughost="record-calls = false")
    assert not load(folder, only=["record-calls"], environment=environment).record_calls


def test_a_declared_plugin_has_all_that_its_table_says(project):
    folder = project(
        plughost="""
        [plugins]
        slug = "python-slugify"

        [plugins.Local_Tools]
        source = "plugins/local"
        python = "3.12"
        extras = ["maps"]
        with = ["numpy<3"]
        constraint = "constraints.txt"
        exclude-newer = 2026-01-31
        entry-points = { score = "scores.api:score" }
        pin = true
        enabled = false
        """
    ).parent
    declared = read_declared(str(folder))
    assert list(declared.plugins) == ["local-tools", "slug"]
    assert declared.lock_path == str(folder / "plughost.lock")
    local, slug = declared.plugins.values()
    assert (local.source, local.written_source) == (str(folder / "plugins" / "local"), "plugins/local")
    assert (local.python, local.extras, local.with_) == ("3.12", ("maps",), ("numpy<3",))
    assert (local.constraint, local.exclude_newer) == (str(folder / "constraints.txt"), "2026-01-31")
    assert (local.entry_points, local.pin, local.enabled) == ({"score": "scores.api:score"}, True, False)
    assert (slug.source, slug.written_source, slug.pin, slug.enabled) == ("python-slugify", "python-slugify", False, True)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[plugins.a]", "`plugins.a.source` is missing, and takes a text, as `add` takes it"),
        ("[plugins.a]\nsource = 'a'\npin = 1", "`plugins.a.pin` is `1`, and takes `true` or `false`"),
        ("[plugins.a]\nsource = 'a'\nwith = 'b'", '`plugins.a.with` is `"b"`, and takes a list of texts'),
        ("[plugins.a]\nsource = 'a'\nsorce = 'b'", "There is no setting `plugins.a.sorce`"),
        (
            "[plugins.a.entry-points]\nx = 'y'\n[plugins.a]\nsource = 'a'",
            '`plugins.a.entry-points.x` is `"y"`, and takes a text such as `MODULE:OBJECT`',
        ),
        ("plugins.a = 3", "`plugins.a` is `3`, and takes a table with a `source`"),
        ("plugins = 3", "`plugins` is `3`, and takes a table"),
        ("[plugins]\na-b = 'x'\nA_B = 'y'", "`plugins.A_B` is there twice: the name stands for `a-b`"),
        ("[plugins]\n'../a' = 'x'", "`plugins.../a` is not a valid plugin name"),
        ("offline = true", "It declares no plugins"),
    ],
)
def test_a_mistake_in_a_declaration_is_named_by_its_keys(project, text, cause):
    folder = project(plughost=text).parent
    with pytest.raises(UsageError) as caught:
        read_declared(str(folder))
    assert caught.value.causes == (cause,)
