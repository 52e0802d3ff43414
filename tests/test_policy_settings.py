"""Policies in the settings, and what a host makes of everybody's word."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from plughost import Host, Policy, Settings
from plughost._policies import Command, Policies, pack_grant
from plughost.errors import UsageError
from plughost.policy import STRICT, TRUSTED
from plughost.settings import load

MIB = 1 << 20


@pytest.fixture
def loaded(tmp_path):
    """The settings that hold in a project's folder, with these files and variables."""
    (tmp_path / "config" / "plughost").mkdir(parents=True)
    (tmp_path / "project").mkdir()

    def read(*, user: str = "", project: str = "", **variables: str) -> Settings:
        (tmp_path / "config" / "plughost" / "plughost.toml").write_text(user)
        (tmp_path / "project" / "plughost.toml").write_text(project)
        return load(str(tmp_path / "project"), environment={"XDG_CONFIG_HOME": str(tmp_path / "config"), **variables})

    return read


def plugin(name: str, grant: dict[str, object] | None = None) -> SimpleNamespace:
    return SimpleNamespace(name=name, state=SimpleNamespace(grant=pack_grant(grant)))


def test_the_users_file_says_what_all_plugins_may_use_and_what_single_ones_may(loaded, tmp_path):
    settings = loaded(
        user='[policy]\nmemory = "1 GiB"\nread = ["data"]\n\n[policies.Weather_Report]\nnetwork = ["api.example.com"]\n\n'
        '[policies]\nold = "trusted"'
    )
    policies = Policies(settings=lambda: settings)
    shared = Policy(memory_bytes=1024 * MIB, read=[tmp_path / "config" / "plughost" / "data"])
    assert policies.base == policies.of(plugin("echo")) == shared
    assert policies.of(plugin("weather-report")) == shared.replace(network=["api.example.com"])
    assert policies.of(plugin("old")).network == "on"
    assert policies.of(plugin("echo", {"memory_bytes": 100 * MIB, "network": "on"})) == shared.replace(
        memory_bytes=100 * MIB, network="on"
    )


def test_a_variable_holds_instead_of_the_users_file(loaded):
    user = 'policy = "strict"\n[policies.weather]\nnetwork = "off"'
    assert Policies(settings=lambda: loaded(user=user)).base == STRICT
    settings = loaded(user=user, PLUGHOST_POLICY="trusted", PLUGHOST_ALLOW_UNENFORCED="file-names, network")
    policies = Policies(settings=lambda: settings, allow_unenforced=["memory"])
    assert policies.of(plugin("weather")) == TRUSTED
    assert policies.waived == {"file-names", "network", "memory"}
    assert settings.origins["policy"][0].variable == "PLUGHOST_POLICY"


def test_a_projects_file_takes_away_and_gives_nothing(loaded):
    settings = loaded(
        user='[policy]\nnetwork = ["*.example.com"]\n',
        project='[policy]\nnetwork = ["api.example.com", "evil.org"]\nmemory = "unlimited"\nread = ["/"]\n'
        '[policies.weather]\nwall = "5 s"',
    )
    policies = Policies(settings=lambda: settings)
    assert policies.base == Policy(network=["api.example.com"])
    assert policies.of(plugin("weather")).wall_s == 5.0
    assert policies.words_on("weather", None).deciders()["wall_s"] == "project"


@pytest.mark.parametrize(
    ("file", "cause"),
    [
        ({"user": "[policy]\nnetwrk = 1"}, "A policy has no `netwrk` in `policy`"),
        ({"user": "policy = 3"}, "`policy` is `3`, and takes the name of a preset, or a table"),
        ({"user": 'policy = "lax"'}, '`policy` is `"lax"`, and there is no such preset'),
        ({"user": '[policies]\nweather = "lax"'}, '`policies.weather` is `"lax"`, and there is no such preset'),
        (
            {"user": "[policies.weather]\ncpu = -1"},
            "`policies.weather.cpu` is `-1`, and takes a time such as `30 s` or `5 min`, or `unlimited`",
        ),
        (
            {"project": 'policy = "trusted"'},
            "`policy` is `trusted`: a project's file narrows what plugins may use, and gives them nothing",
        ),
        (
            {"project": 'allow-unenforced = ["file-names"]'},
            "`allow-unenforced` is for the operator of a machine to say, and this is a project's file",
        ),
    ],
)
def test_a_mistake_in_a_file_is_told_by_its_keys(loaded, file, cause):
    with pytest.raises(UsageError) as caught:
        loaded(**file)
    assert (caught.value.reference, caught.value.causes) == ("settings-invalid", (cause,))


def test_a_variable_takes_the_name_of_a_preset(loaded):
    with pytest.raises(UsageError) as caught:
        loaded(PLUGHOST_POLICY="lax")
    assert caught.value.causes == ("It is `lax`, and takes `trusted`, `default` or `strict`",)


@pytest.mark.parametrize("given", ["strict", {"preset": "strict"}, Policy.strict()])
def test_an_app_gives_a_policy_by_its_name_or_as_a_table_or_as_an_object(given, tmp_path):
    with Host(store=tmp_path, settings=Settings(), policy=given) as host:
        assert host.policies.base == STRICT
        assert host.policies.of(plugin("weather", {"network": "on"})) == STRICT
        assert host.policies.of(plugin("weather"), caller={"memory": "64 MiB"}).memory_bytes == 64 * MIB
    with pytest.raises(UsageError, match="there is no such preset"):
        Host(store=tmp_path, policy="lax")


def test_a_command_line_grants_for_this_time_and_what_it_adds_is_added(loaded):
    settings = loaded(user="policy = 'strict'", project="[policy]\nnetwork = 'off'")

    def on_the_command_line(*, app: str | None = None, more: dict[str, object] | None = None, **said: object) -> Policy:
        policies = Policies(app, settings=lambda: settings)
        policies.command = Command(said, more or {})
        return policies.of(plugin("weather", {"network": ("a.example.com",), "read": ("/srv",)}))

    assert on_the_command_line(**TRUSTED.as_record()) == TRUSTED
    assert on_the_command_line(memory_bytes=MIB) == STRICT.replace(memory_bytes=MIB)
    added = on_the_command_line(**Policy().as_record(), more={"network": ("b.example.com",), "read": ("/opt",)})
    assert added == Policy(network=["b.example.com"], read=["/opt"])
    assert on_the_command_line(app="strict", **TRUSTED.as_record()) == STRICT


def test_config_shows_policies_as_they_are_written(plughost_command, tmp_path):
    (tmp_path / "config" / "plughost").mkdir(parents=True)
    (tmp_path / "config" / "plughost" / "plughost.toml").write_text(
        "policy = 'strict'\n[policies.weather]\nmemory = '1 GiB'\nnetwork = ['a.example.com']"
    )
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PLUGHOST_POLICY": ""}
    records = {record["key"]: record["value"] for record in plughost_command("config", "--json", env=environment).json()}
    assert records["policy"] == "strict"
    assert records["policies"] == {"weather": {"network": ["a.example.com"], "memory": "1 GiB"}}
