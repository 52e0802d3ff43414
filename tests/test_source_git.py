"""Repositories as sources: which commit a reference is, what is checked out of it, and what git must never be made to do."""

from __future__ import annotations

import os
import pwd
import shutil
from typing import TYPE_CHECKING

import pytest

from plughost import _process
from plughost.errors import InstallError, PlughostError, SourceError, UsageError
from plughost.source import check_out, parse, resolve

if TYPE_CHECKING:
    from pathlib import Path

GIT = _process.find_program("git") or "git"
ENVIRONMENT = {
    **_process.base_environment(),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file",
    **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in
       (("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "2024-01-01T00:00:00Z"))},
}  # fmt: skip
PYPROJECT = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "weather"\nversion = "1"\n'


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)


def git(folder: Path, *arguments: str) -> str:
    completed = _process.run([GIT, "-C", str(folder), *arguments], env=ENVIRONMENT)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.strip()


def commit(folder: Path, **files: str) -> str:
    """Commit the files, `a__b_toml` being `a/b.toml`; a further commit also where they are the same."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in files.items():
        path = folder / ".".join(name.replace("__", "/").rsplit("_", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=A change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "weather.git"
    commit(folder, pyproject_toml=PYPROJECT)
    return folder


def url(folder: Path, ref: str = "", subdirectory: str = "") -> str:
    return f"git+{folder.as_uri()}{'@' * bool(ref)}{ref}{'#subdirectory=' * bool(subdirectory)}{subdirectory}"


def commit_of(text: str) -> str:
    return resolve(parse(text)).commit_id


def tree_of(text: str, into: Path):
    source = parse(text)
    into.mkdir()
    return check_out(source, resolve(source), into)


# Which commit.


def test_without_a_reference_it_is_what_the_repository_has_checked_out(repository):
    git(repository, "checkout", "-q", "-b", "develop")
    newest = commit(repository)
    assert commit_of(url(repository)) == newest != commit_of(url(repository, "main"))


def test_an_annotated_tag_is_its_commit(repository):
    tagged = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "--annotate", "--message=one", "v1")
    commit(repository)
    assert commit_of(url(repository, "v1")) == tagged != git(repository, "rev-parse", "v1")
    assert commit_of(url(repository, "refs/tags/v1")) == tagged


def test_of_a_tag_and_a_branch_with_one_name_it_is_the_tag_as_git_says(repository):
    git(repository, "tag", "both")
    tagged = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "-b", "both")
    branch = commit(repository)
    assert commit_of(url(repository, "both")) == tagged
    assert commit_of(url(repository, "refs/heads/both")) == commit_of(url(repository, "heads/both")) == branch


def test_a_branch_is_not_taken_for_another_whose_name_ends_like_it(repository):
    git(repository, "checkout", "-q", "-b", "feature/x")
    longer = commit(repository)
    assert commit_of(url(repository, "feature/x")) == longer
    with pytest.raises(SourceError) as caught:
        commit_of(url(repository, "x"))
    assert caught.value.reference == "git-ref-not-found"
    assert "`feature/x`" in caught.value.causes[0]


def test_a_pull_request_is_a_reference_too(repository, tmp_path):
    before = git(repository, "rev-parse", "HEAD")
    proposed = commit(repository, new_txt="proposed")
    git(repository, "update-ref", "refs/pull/7/head", proposed)
    git(repository, "reset", "--hard", "-q", before)
    assert commit_of(url(repository, "pull/7/head")) == proposed
    tree = tree_of(url(repository, "pull/7/head"), tmp_path / "tree")
    assert (tree.path / "new.txt").read_text() == "proposed"


def test_the_beginning_of_a_commit_is_completed(repository, tmp_path):
    older = git(repository, "rev-parse", "HEAD")
    commit(repository)
    assert commit_of(url(repository, older[:7])) == older
    assert tree_of(url(repository, older[:9].upper()), tmp_path / "tree").origin.commit_id == older


def test_a_branch_that_looks_like_a_commit_is_a_branch(repository):
    git(repository, "checkout", "-q", "-b", "deadbeef")
    newest = commit(repository)
    assert commit_of(url(repository, "deadbeef")) == newest


def test_nobody_is_asked_about_a_whole_commit(tmp_path):
    assert commit_of(url(tmp_path / "nothing", "a" * 40)) == "a" * 40


def test_a_reference_that_is_not_there_is_told_with_those_that_come_near(repository):
    git(repository, "tag", "v1.10")
    with pytest.raises(SourceError) as caught:
        commit_of(url(repository, "v1.1"))
    assert caught.value.reference == "git-ref-not-found"
    assert caught.value.message == f"`{repository.as_uri()}` has no branch, tag or commit `v1.1`"
    assert caught.value.causes == ("It has, among others: `v1.10`",)


def test_a_repository_without_commits_is_told(tmp_path):
    git(tmp_path, "init", "-q", "empty.git")
    with pytest.raises(SourceError, match="nothing to check out"):
        commit_of(url(tmp_path / "empty.git"))


def test_a_repository_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SourceError) as caught:
        commit_of(url(tmp_path / "nothing.git", "main"))
    assert caught.value.reference == "git-not-found"


def test_offline_asks_repositories_on_this_machine_alone(repository):
    assert resolve(parse(url(repository)), offline=True).commit_id
    with pytest.raises(InstallError) as caught:
        resolve(parse("git+https://example.org/weather.git"), offline=True)
    assert caught.value.reference == "offline"


def test_a_path_may_have_an_at_sign(tmp_path):
    folder = tmp_path / "a@b" / "weather"
    newest = commit(folder, pyproject_toml=PYPROJECT)
    git(folder, "tag", "v@1")
    assert commit_of(url(folder)) == commit_of(url(folder, "main")) == newest
    assert parse(url(folder, "v@1")).requested_revision == "v@1"


# What is checked out.


def test_the_tree_is_that_commit_and_no_more(repository, tmp_path):
    older = git(repository, "rev-parse", "HEAD")
    commit(repository, new_txt="new")
    tree = tree_of(url(repository, older), tmp_path / "tree")
    assert (tree.path, tree.name, tree.build_requires, tree.epoch) == (tmp_path / "tree", "weather", ("hatchling",), 1704067200)
    assert not (tree.path / "new.txt").exists()
    assert git(tree.path, "rev-list", "--all", "HEAD") == older
    assert tree.origin.direct_url() == {
        "url": repository.as_uri(),
        "vcs_info": {"vcs": "git", "commit_id": older, "requested_revision": older},
    }


def test_a_commit_that_no_server_has_is_told(repository, tmp_path):
    with pytest.raises(SourceError) as caught:
        tree_of(url(repository, "a" * 40), tmp_path / "tree")
    assert caught.value.reference == "git-ref-not-found"


def test_a_repository_of_another_user_is_no_hindrance(repository, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    other = pwd.getpwnam("nobody").pw_uid
    for path in (repository, *repository.rglob("*")):
        os.lchown(path, other, -1)
    assert tree_of(url(repository), tmp_path / "tree").name == "weather"


def test_submodules_are_checked_out_also_by_relative_urls_and_below_one_another(tmp_path):
    commit(tmp_path / "inner", inner_txt="inner")
    commit(tmp_path / "middle", middle_txt="middle")
    commit(tmp_path / "outer", pyproject_toml=PYPROJECT)
    for folder, submodule in (("middle", "inner"), ("outer", "middle")):
        git(tmp_path / folder, "submodule", "add", "--quiet", f"../{submodule}", f"vendor/{submodule}")
        commit(tmp_path / folder)
    commit(tmp_path / "middle", middle_txt="newer")  # what counts is the commit that the outer one names
    tree = tree_of(url(tmp_path / "outer"), tmp_path / "tree")
    assert (tree.path / "vendor/middle/middle.txt").read_text() == "middle"
    assert (tree.path / "vendor/middle/vendor/inner/inner.txt").read_text() == "inner"


def test_a_submodule_that_is_gone_is_told(tmp_path):
    commit(tmp_path / "inner", inner_txt="inner")
    commit(tmp_path / "outer", pyproject_toml=PYPROJECT)
    git(tmp_path / "outer", "submodule", "add", "--quiet", "../inner", "inner")
    commit(tmp_path / "outer")
    shutil.rmtree(tmp_path / "inner")
    with pytest.raises(SourceError) as caught:
        tree_of(url(tmp_path / "outer"), tmp_path / "tree")
    assert caught.value.reference == "git-submodule"


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject_toml": '[build-system]\nrequires = ["Setuptools_SCM[toml]>=8"]\n[project]\nname = "w"'},
        {"pyproject_toml": '[project]\nname = "w"\n[tool.hatch.version]\nsource = "vcs"'},
        {"pyproject_toml": '[project]\nname = "w"\n[tool.pdm.version]\nsource = "scm"'},
        {"setup_py": "from setuptools import setup\nsetup(use_scm_version=True)"},
        {"setup_py": "", "setup_cfg": "[options]\nsetup_requires = pbr"},
    ],
)
def test_where_git_makes_the_version_its_tags_and_history_are_there(tmp_path, files):
    repository = tmp_path / "weather"
    commit(repository, **files)
    git(repository, "tag", "--annotate", "--message=two", "v2.0")
    newest = commit(repository)
    assert commit(repository) != newest
    tree = tree_of(url(repository, newest), tmp_path / "tree")
    assert git(tree.path, "describe", "--long") == f"v2.0-1-g{newest[:7]}"
    assert git(tree.path, "status", "--porcelain") == ""


def test_elsewhere_only_one_commit_is_fetched(repository, tmp_path):
    commit(repository)
    assert git(tree_of(url(repository), tmp_path / "tree").path, "rev-list", "--count", "HEAD") == "1"


# Subdirectories.


def test_a_subdirectory_is_the_tree(repository, tmp_path):
    commit(repository, plugins__weather__pyproject_toml=PYPROJECT.replace("weather", "inner"))
    tree = tree_of(url(repository, "main", "plugins/weather"), tmp_path / "tree")
    assert (tree.path, tree.name) == (tmp_path / "tree" / "plugins" / "weather", "inner")
    assert tree.origin.direct_url()["subdirectory"] == "plugins/weather"


def test_a_subdirectory_that_is_not_there_is_told_with_those_that_are(repository, tmp_path):
    commit(repository, plugins__inner__pyproject_toml=PYPROJECT)
    with pytest.raises(SourceError) as caught:
        tree_of(url(repository, "", "plugin/inner"), tmp_path / "tree")
    assert caught.value.reference == "subdirectory-missing"
    assert caught.value.hint == "Folders with a Python project: `#subdirectory=plugins/inner`"


def test_a_subdirectory_that_is_a_link_out_of_the_repository_is_refused(repository, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "pyproject.toml").write_text(PYPROJECT)
    (repository / "inner").symlink_to("../elsewhere")
    commit(repository)
    with pytest.raises(SourceError) as caught:
        tree_of(url(repository, "", "inner"), tmp_path / "tree")
    assert caught.value.reference == "subdirectory-missing"
    assert "leads out" in caught.value.causes[0]


# What git must not be made to do.


@pytest.mark.parametrize("form", ["git+{url}@{ref}", "git+{url}@%2D{rest}", "git+{url}.git@{ref}"])
def test_a_reference_is_never_an_option(repository, tmp_path, form):
    touched = tmp_path / "touched"
    ref = f"--upload-pack=touch${{IFS}}{touched};"
    text = form.format(url=repository.as_uri().removesuffix(".git"), ref=ref, rest=ref[1:])
    with pytest.raises(PlughostError):
        tree_of(text, tmp_path / "tree")
    assert not touched.exists()


def test_a_transport_that_runs_commands_is_refused_also_where_a_submodule_asks_for_it(repository, tmp_path):
    touched = tmp_path / "touched"
    with pytest.raises(UsageError):
        parse(f"git+ext::sh -c touch% {touched}")
    commit(repository, a_gitmodules=f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% {touched}\n')
    (repository / "a.gitmodules").rename(repository / ".gitmodules")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},x")
    git(repository, "add", ".gitmodules")
    git(repository, "commit", "-q", "--message=A trap")
    with pytest.raises(SourceError) as caught:
        tree_of(url(repository), tmp_path / "tree")
    assert caught.value.reference == "git-submodule"
    assert not touched.exists()


def test_the_repository_one_stands_in_has_no_say(repository, tmp_path, monkeypatch):
    standing = tmp_path / "standing"
    commit(standing, a_txt="a")
    git(standing, "config", f"url.{(tmp_path / 'elsewhere').as_uri()}.insteadOf", repository.as_uri())
    monkeypatch.chdir(standing)
    assert commit_of(url(repository, "main")) == git(repository, "rev-parse", "HEAD")
    assert (tree_of(url(repository), tmp_path / "tree").path / "pyproject.toml").is_file()
    with pytest.raises(SourceError) as caught:
        commit_of(url(repository, "mian"))
    assert "`main`" in caught.value.causes[0]


@pytest.mark.parametrize("address", ["git+ssh://git@host/o/r.git", "git@host:o/r.git"])
def test_the_users_own_way_to_ssh_is_taken(tmp_path, monkeypatch, address):
    settings, asked, program = tmp_path / "settings", tmp_path / "asked", tmp_path / "own-ssh"
    program.write_text(f'#!/bin/sh\necho "$@" >>{asked}\nexit 255\n')
    program.chmod(0o755)
    settings.write_text(f"[core]\nsshCommand = {program}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    for name in ("GIT_SSH", "GIT_SSH_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InstallError):
        commit_of(address)
    assert "git@host git-upload-pack" in asked.read_text()


def test_where_the_users_settings_put_a_repository_is_where_it_is_asked_for(repository, tmp_path, monkeypatch):
    commit(tmp_path / "inner", a_txt="a")
    git(repository, "submodule", "add", "--quiet", "../inner", "inner")
    git(repository, "commit", "-q", "--message=Another")
    settings = tmp_path / "settings"
    settings.write_text(f'[url "{tmp_path.as_uri()}/"]\n\tinsteadOf = https://git.invalid/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))

    tree = tree_of("git+https://git.invalid/weather.git", tmp_path / "tree")

    assert tree.origin.direct_url()["url"] == "https://git.invalid/weather.git"
    assert (tree.path / "inner" / "a.txt").read_text() == "a"


def test_a_filter_of_the_users_knows_where_the_files_come_from(repository, tmp_path, monkeypatch):
    commit(repository, a_gitattributes="*.bin filter=lfs\n", data_bin="a note")
    (repository / "a.gitattributes").rename(repository / ".gitattributes")
    commit(repository)
    settings = tmp_path / "settings"
    settings.write_text('[filter "lfs"]\n\tsmudge = git config remote.origin.url\n\trequired = true\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))

    tree = tree_of(url(repository), tmp_path / "tree")

    assert (tree.path / "data.bin").read_text().strip() == repository.as_uri()


def test_a_missing_git_lfs_is_told(repository, tmp_path, monkeypatch):
    commit(repository, a_gitattributes="*.bin filter=lfs\n", data_bin="a note")
    (repository / "a.gitattributes").rename(repository / ".gitattributes")
    commit(repository)
    settings = tmp_path / "settings"
    settings.write_text('[filter "lfs"]\n\tsmudge = sh -c "echo git-lfs: not found >&2; exit 127"\n\trequired = true\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    with pytest.raises(InstallError) as caught:
        tree_of(url(repository), tmp_path / "tree")
    assert (caught.value.reference, caught.value.hint) == (
        "tool-failed",
        "Install git-lfs, where the repository keeps its files",
    )


def test_offline_a_whole_commit_is_known_and_asked_of_nobody(tmp_path):
    source = parse(f"git+https://git.invalid/weather.git@{'a' * 40}")
    origin = resolve(source, offline=True)
    assert origin.commit_id == "a" * 40
    for attempt in (
        lambda: check_out(source, origin, tmp_path, offline=True),
        lambda: resolve(parse("git+https://git.invalid/weather.git@main"), offline=True),
    ):
        with pytest.raises(InstallError) as caught:
            attempt()
        assert caught.value.reference == "offline"
