"""Policies: how they are written, how several are made one, and who decides what."""

from __future__ import annotations

import itertools

import pytest

from plughost import errors
from plughost.policy import (
    DEFAULT,
    PRESETS,
    STRICT,
    TRUSTED,
    Policy,
    allows,
    deciders,
    effective,
    exceeding,
    narrowest,
    parse,
    read_term,
    terms_of,
    widest,
)

MIB = 1 << 20


def test_what_is_said_in_one_policy_is_no_more_than_in_any_other() -> None:
    wide = Policy(network="on", read=["/srv"], write=["/srv/out"], memory_bytes=None, wall_s=60, environment=["*"])
    slim = Policy(
        network=["api.example.com"], read=["/srv/data"], write=["/srv"], memory_bytes=MIB, environment=["LC_*", "API_KEY"]
    )
    both = narrowest(wide, slim)
    assert both == narrowest(slim, wide)
    assert both.network == ("api.example.com",)
    assert (both.read, both.write) == (("/srv",), ("/srv/out",))
    assert (both.memory_bytes, both.wall_s) == (MIB, 60.0)
    assert set(both.environment) == {"LC_*", "API_KEY"}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_narrowed_by_itself_and_by_the_trusted_one_to_itself(preset: str) -> None:
    assert narrowest(PRESETS[preset], PRESETS[preset]) == narrowest(TRUSTED, PRESETS[preset]) == PRESETS[preset]
    assert narrowest(TRUSTED, DEFAULT, STRICT) == STRICT
    assert Policy.from_mapping(PRESETS[preset].to_mapping()) == PRESETS[preset]


def test_what_may_be_written_by_one_and_read_by_the_other_may_be_read() -> None:
    assert narrowest(Policy(write=["/srv"]), Policy(read=["/srv/data"])).as_record() == Policy(read=["/srv/data"]).as_record()
    assert narrowest(Policy(read=["/srv"]), Policy(read=["/srvs"])) == DEFAULT
    assert narrowest(Policy(read=["/srv"], hide=["/srv/a"]), Policy(read=["/srv"], hide=["/srv/b"])).hide == ("/srv/a", "/srv/b")


@pytest.mark.parametrize(
    ("ours", "theirs", "both"),
    [
        ("off", "on", "off"),
        ("on", ["a.example.com"], ("a.example.com",)),
        (["*.example.com"], ["a.example.com:443", "b.example.org"], ("a.example.com:443",)),
        (["*.example.com:443"], ["a.example.com"], ("a.example.com:443",)),
        (["*.example.com"], ["*.a.example.com"], ("*.a.example.com",)),
        (["*.example.com"], ["example.com"], "off"),
        (["*:443"], ["*.example.com", "127.0.0.1:8000", "[::1]"], ("*.example.com:443", "[::1]:443")),
        (["a.example.com"], ["a.example.com:8000"], "off"),
        (["*:*"], ["a.example.com:8000", "b.example.com"], ("a.example.com:8000", "b.example.com")),
        (["a.example.com:80"], ["a.example.com:443"], "off"),
        (["A.Example.com.", "a.example.com:443"], ["a.example.com"], ("a.example.com",)),
        (["10.0.0.1"], ["*.1"], None),
    ],
)
def test_hosts_in_common_are_those_that_both_allow(ours: object, theirs: object, both: object) -> None:
    def common() -> object:
        mine, other = (Policy.from_mapping({"network": network}) for network in (ours, theirs))
        assert narrowest(mine, other) == narrowest(other, mine)
        return narrowest(mine, other).network

    if both is None:
        with pytest.raises(errors.UsageError):
            common()
    else:
        assert common() == both


def test_a_connection_is_allowed_by_the_name_and_the_port_that_are_asked_for() -> None:
    network = Policy(network=["*.example.com:443", "127.0.0.1:8000", "::1"]).network
    assert allows(network, "API.example.com", 443)
    assert allows(network, "a.b.example.com.", 443)
    assert allows(network, "127.0.0.1", 8000)
    assert allows(network, "[0:0::1]", 80)
    assert not allows(network, "::1", 8000)
    assert allows(Policy(network="*.example.com:*").network, "a.example.com", 8000)
    assert not allows(network, "example.com", 443)
    assert not allows(network, "api.example.com", 80)
    assert not allows(network, "badexample.com", 443)
    assert not allows(network, "", 443)
    assert not allows(network, "ü." * 100_000 + "example.com", 443)
    assert allows("on", "anything", 1)
    assert not allows("off", "anything", 1)


def test_a_table_is_read_with_sizes_and_times_for_people_and_written_as_short_as_it_can_be() -> None:
    table = {
        "preset": "strict",
        "network": ["api.example.com:443"],
        "memory": "1.5 GiB",
        "cpu": "2 min",
        "wall": "unlimited",
        "open-files": 100,
        "disk": "200 MB",
    }
    policy = Policy.from_mapping(table)
    assert policy == STRICT.replace(
        network=["api.example.com:443"], memory_bytes=1536 * MIB, cpu_s=120.0, wall_s=None, open_files=100, disk_bytes=200_000_000
    )
    assert policy.to_mapping() == {**table, "memory": "1536 MiB", "cpu": "120 s", "disk": 200_000_000}
    assert Policy.from_mapping(policy.to_mapping()) == policy
    assert DEFAULT.to_mapping() == {}
    assert Policy.from_mapping({"memory_bytes": MIB, "open_files": 9}) == Policy(memory_bytes=MIB, open_files=9)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"netwrk": "on"}, "A policy has no `netwrk`"),
        ({"preset": "lax"}, '`preset` is `"lax"`, and there is no such preset'),
        ({"memory": "lots"}, '`memory` is `"lots"`, and takes a size such as `512 MiB`, or `unlimited`'),
        ({"memory": 0}, "`memory` is `0`, and takes a size such as `512 MiB`, or `unlimited`"),
        ({"cpu": True}, "`cpu` is `true`, and takes a time such as `30 s` or `5 min`, or `unlimited`"),
        ({"processes": 1.5}, "`processes` is `1.5`, and takes a whole number above 0, or `unlimited`"),
        (
            {"read": ["/srv\n  network: off"]},
            '`read` is `"/srv\\n  network: off"`, and takes a list of paths that are absolute, or begin with `~`',
        ),
        ({"read": ["data"]}, '`read` is `"data"`, and takes a list of paths that are absolute, or begin with `~`'),
        (
            {"read": ["/srv", "/proc/1/root"]},
            '`read` is `"/proc/1/root"`, and takes no paths at which the kernel shows processes',
        ),
        ({"write": ["/proc/self/cwd/.."]}, '`write` is `"/proc/self"`, and takes no paths at which the kernel shows processes'),
        ({"execute": ["/srv/../proc"]}, '`execute` is `"/proc"`, and takes no paths at which the kernel shows processes'),
        (
            {"environment": ["A*B"]},
            '`environment` is `"A*B"`, and takes a list of names of variables, at the end of which a `*` may stand',
        ),
        (
            {"network": ["https://example.com/"]},
            '`network` is `"https://example.com/"`, and takes `"off"`, `"on"`, or a list of hosts such as `"example.com:443"`',
        ),
        (
            {"network": ["on", "example.com"]},
            '`network` is `"on"`, and takes `"off"`, `"on"`, or a list of hosts such as `"example.com:443"`',
        ),
    ],
)
def test_a_mistake_is_told_with_its_key_its_value_and_what_the_key_takes(table: dict[str, object], said: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        Policy.from_mapping(table)
    assert (caught.value.message, caught.value.reference) == (said, "policy-invalid")


def test_a_policy_is_made_of_what_people_have_at_hand_and_never_changes(tmp_path: object) -> None:
    policy = Policy(network=True, read=[str(tmp_path)], cpu_s=1)
    assert (policy.network, policy.read, policy.cpu_s) == ("on", (str(tmp_path),), 1.0)
    with pytest.raises(AttributeError, match="never changed"):
        policy.network = "off"
    with pytest.raises(errors.UsageError, match="A policy has no `netwrk`"):
        policy.replace(netwrk="on")
    with pytest.raises(errors.UsageError, match="`memory_bytes` is"):
        Policy(memory_bytes=-1)
    assert parse("strict") is Policy.strict() is STRICT
    assert hash(policy) == hash(policy.replace())


def test_a_plugin_has_what_it_was_granted_narrowed_by_what_each_other_spoke_of() -> None:
    grant = {"network": ("a.example.com", "b.example.com"), "memory_bytes": 2048 * MIB}
    assert effective() == DEFAULT
    assert effective(grant=grant) == Policy(network=["a.example.com", "b.example.com"], memory_bytes=2048 * MIB)
    assert effective(operator=TRUSTED) == effective(app=TRUSTED) == TRUSTED
    assert effective(caller=TRUSTED) == DEFAULT
    assert effective(operator=TRUSTED, app=STRICT) == effective(operator=STRICT, app=TRUSTED) == STRICT
    assert effective(grant=grant, operator=STRICT).network == "off"

    narrowed = {"operator": {"memory_bytes": 1024 * MIB}, "app": {"network": ("a.example.com",)}, "caller": {"wall_s": 5.0}}
    policy = effective(grant=grant, **narrowed)
    assert policy == Policy(network=["a.example.com"], memory_bytes=1024 * MIB, wall_s=5)
    who = deciders(grant=grant, **narrowed)
    assert (who["network"], who["memory_bytes"], who["wall_s"], who["threads"]) == ("app", "operator", "caller", "default")
    assert deciders(grant=grant)["network"] == "grant"


def test_what_is_wanted_is_more_only_in_the_fields_in_which_it_is() -> None:
    granted = Policy(network=["*.example.com"], write=["/srv"], memory_bytes=MIB)
    assert exceeding(Policy(network=["a.example.com:443"], read=["/srv/data"], memory_bytes=MIB), granted) == []
    assert exceeding(Policy(network="on", write=["/srv", "/var"], memory_bytes=None, hide=["/x"]), granted) == [
        "memory_bytes",
        "network",
        "write",
    ]
    assert exceeding(TRUSTED, TRUSTED) == []
    both = widest(granted, Policy(network=["b.org"], memory_bytes=2 * MIB))
    assert both.replace(hide=()) == Policy(network=["*.example.com", "b.org"], write=["/srv"], memory_bytes=2 * MIB)


def test_the_order_of_policies_and_of_what_they_name_does_not_matter() -> None:
    one = Policy(network=["a.example.com", "*.example.com:443"], read=["/srv", "/var"], hide=["/srv/x"], environment=["A", "B_*"])
    other = Policy(
        network=["*.example.com"], write=["/var/log", "/srv/data"], hide=["/srv/y", "/srv/x"], environment=["B_*", "A"]
    )
    assert narrowest(one, other) == narrowest(other, one)
    assert hash(narrowest(one, other)) == hash(narrowest(other, one))
    assert one == one.replace(read=["/var", "/srv"])


def test_policies_are_equal_that_allow_the_same_in_whatever_order_they_were_narrowed() -> None:
    policies = [
        Policy(read=["/"], write=["/srv"]),
        Policy(read=["/srv/data"], write=["/srv"]),
        Policy(read=["/srv/data/new"], write=["/"]),
    ]
    assert {narrowest(*order) for order in itertools.permutations(policies)} == {Policy(write=["/srv"])}
    assert Policy(read=["/srv", "/var"], write=["/var"]) == Policy(read=["/srv"], write=["/var"])
    assert Policy(read=["/srv"], write=["/srv/out"]) != Policy(write=["/srv/out"])


@pytest.mark.parametrize(
    "table",
    [
        {"network": ["*:443", "example.com"], "read": ["/srv", "/srv/data"]},
        {"read": ["/srv/data"], "write": ["/srv"], "environment": ["LC_*", "LC_ALL"]},
    ],
)
def test_who_names_a_thing_twice_wants_no_more_than_it_was_granted(table: dict[str, object]) -> None:
    wanted = Policy.from_mapping(table)
    assert exceeding(wanted, wanted) == exceeding(wanted, TRUSTED) == []


def test_one_thing_is_said_on_a_command_line() -> None:
    assert read_term("network=a.example.com, b.example.com:443", option="--grant") == {
        "network": ("a.example.com", "b.example.com:443")
    }
    assert read_term("memory=1g", option="--grant") == {"memory_bytes": 1024 * MIB}
    assert read_term("network=on", option="--grant") == {"network": "on"}
    assert read_term("read=data", option="--grant", folder="/srv") == {"read": ("/srv/data",)}
    assert read_term("read=none") == read_term("read=") == {"read": ()}
    assert read_term("network=none") == {"network": "off"}
    assert read_term("preset=trusted", option="--grant") == terms_of("trusted") == TRUSTED.as_record()
    with pytest.raises(errors.UsageError, match="says nothing"):
        read_term("network", option="--grant")
