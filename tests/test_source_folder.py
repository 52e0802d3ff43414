"""Folders as sources: what belongs to them, what their digest sees, and that nothing is written into them."""

import os
import shutil
from pathlib import Path

import pytest

from plughost import _process
from plughost.errors import ResolveError, UsageError
from plughost.source import check_out, parse, resolve

GIT = _process.find_program("git") or "git"
ENVIRONMENT = {
    **_process.base_environment(),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
}
PLAIN = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "weather"\nversion = "1"\n'
FROM_TAGS = '[build-system]\nrequires = ["setuptools-scm>=8"]\n[project]\nname = "weather"\ndynamic = ["version"]\n'


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)


def git(folder: Path, *arguments: str) -> str:
    completed = _process.run([GIT, "-C", str(folder), *arguments], env=ENVIRONMENT)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.strip()


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def work_tree(folder: Path, files: dict[str, str]) -> Path:
    write(folder, files)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=A change")
    return folder


@pytest.fixture
def plain(tmp_path):
    return write(tmp_path / "weather", {"pyproject.toml": PLAIN, "src/weather/__init__.py": "", "src/weather/build/x.py": ""})


def tree_of(folder: Path, into: Path):
    source = parse(str(folder))
    into.mkdir()
    return check_out(source, resolve(source), into)


def digest(folder: Path) -> str:
    return resolve(parse(str(folder))).sha256


def files_of(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and ".git" not in path.relative_to(folder).parts[:-1]
    }


def state_of(folder: Path) -> dict[Path, tuple[int, int, int, int]]:
    """Everything that writing into it would change."""
    return {
        path: (state.st_mtime_ns, state.st_size, state.st_mode, state.st_nlink)
        for path in (folder, *folder.rglob("*"))
        for state in (path.lstat(),)
    }


def test_what_builds_and_tools_leave_behind_is_no_part_of_the_folder(plain, tmp_path):
    before = files_of(plain)
    leftovers = ("build/lib/x.py", "dist/x.whl", ".venv/bin/python", "weather.egg-info/PKG-INFO", "src/weather/__pycache__/x.pyc")
    unchanged = digest(plain)
    write(plain, dict.fromkeys(leftovers, "left"))

    assert digest(plain) == unchanged
    assert files_of(tree_of(plain, tmp_path / "tree").path) == before


def test_a_work_tree_says_itself_what_belongs_to_it(tmp_path):
    folder = work_tree(
        tmp_path / "weather", {"pyproject.toml": PLAIN, ".gitignore": "secret.txt\n", "gone.txt": "", "build/x": ""}
    )
    write(folder, {"secret.txt": "s", "new file.txt": "", "ä/ö.txt": ""})
    (folder / "gone.txt").unlink()

    assert files_of(tree_of(folder, tmp_path / "tree").path) == {
        ".gitignore",
        "pyproject.toml",
        "build/x",
        "new file.txt",
        "ä/ö.txt",
    }


def test_a_folder_that_its_work_tree_ignores_is_a_folder_of_its_own(tmp_path):
    outer = work_tree(tmp_path / "outer", {".gitignore": "inner\n"})
    write(outer / "inner", {"pyproject.toml": PLAIN})

    assert files_of(tree_of(outer / "inner", tmp_path / "tree").path) == {"pyproject.toml"}
    assert resolve(parse(str(outer / "inner"))).commit_id == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "src/weather/__init__.py").write_text("x = 1"),
        lambda folder: (folder / "src/weather/__init__.py").chmod(0o755),
        lambda folder: (folder / "src/weather/__init__.py").rename(folder / "src/weather/other.py"),
        lambda folder: (folder / "new.txt").touch(),
        lambda folder: (folder / "new.txt").symlink_to("pyproject.toml"),
        lambda folder: (folder / "pyproject.toml").unlink(),
        lambda folder: os.replace(shutil.copytree(folder / "src", folder / "copy") / "weather/build/x.py", folder / "moved"),
    ],
    ids=["content", "mode", "name", "file", "link", "deletion", "folder"],
)
def test_the_digest_sees_every_change(plain, change):
    before = digest(plain)
    change(plain)

    assert digest(plain) != before


def test_the_digest_is_the_same_for_the_same_files_elsewhere_and_later(plain, tmp_path):
    copied = shutil.copytree(plain, tmp_path / "copied")
    os.utime(copied / "pyproject.toml", (1, 1))
    (copied / "empty").mkdir()

    assert digest(copied) == digest(plain)


def test_links_and_executable_bits_are_kept(plain, tmp_path):
    write(tmp_path, {"outside.txt": "outside", "beside/a.txt": "beside"})
    (plain / "run.sh").touch(0o755)
    (plain / "inside").symlink_to("src/weather/__init__.py")
    (plain / "folder").symlink_to("src")
    (plain / "out").symlink_to("../outside.txt")
    (plain / "beside").symlink_to("../beside")
    (plain / "dangling").symlink_to("nowhere")
    before = digest(plain)

    tree = tree_of(plain, tmp_path / "tree").path

    assert os.access(tree / "run.sh", os.X_OK)
    assert not os.access(tree / "pyproject.toml", os.X_OK)
    assert {name: os.readlink(tree / name) for name in ("inside", "folder", "dangling")} == {
        "inside": "src/weather/__init__.py",
        "folder": "src",
        "dangling": "nowhere",
    }
    assert (tree / "out").read_text() == "outside"
    assert (tree / "beside/a.txt").read_text() == "beside"
    (tmp_path / "outside.txt").write_text("changed")
    assert digest(plain) != before


def test_pipes_and_sockets_are_left_out(plain, tmp_path):
    os.mkfifo(plain / "pipe")

    assert "pipe" not in files_of(tree_of(plain, tmp_path / "tree").path)


def test_a_clean_work_tree_has_a_commit_and_a_changed_one_none(tmp_path):
    folder = work_tree(tmp_path / "weather", {"pyproject.toml": PLAIN})
    origin = resolve(parse(str(folder)))

    assert origin.commit_id == git(folder, "rev-parse", "HEAD")
    assert origin.direct_url() == {"url": folder.as_uri(), "dir_info": {}}
    write(folder, {"new.txt": ""})
    git(folder, "config", "status.showUntrackedFiles", "no")
    assert resolve(parse(str(folder))).commit_id == ""


def test_a_folder_that_changes_while_it_is_added_is_told(plain, tmp_path):
    source = parse(str(plain))
    origin = resolve(source)
    (plain / "new.txt").touch()

    with pytest.raises(ResolveError) as raised:
        check_out(source, origin, tmp_path)

    assert str(raised.value) == f"`{plain}` changed while it was being added\n\nhint: Repeat the command once it is at rest"


@pytest.mark.parametrize("pyproject", [PLAIN, FROM_TAGS], ids=["plain", "from-tags"])
def test_nothing_is_written_into_the_users_folder(pyproject, tmp_path):
    folder = work_tree(tmp_path / "weather", {"pyproject.toml": pyproject, "plugin/pyproject.toml": pyproject})
    git(folder, "tag", "v1.2")
    (folder / "link").symlink_to("pyproject.toml")
    (folder / "pyproject.toml").touch()  # git would note in its index that this is no change
    before = state_of(folder)

    tree_of(folder, tmp_path / "tree")
    tree_of(folder / "plugin", tmp_path / "tree-of-plugin")

    assert state_of(folder) == before


def test_an_editable_tree_is_the_folder_itself(plain, tmp_path):
    before = state_of(plain)
    source = parse(str(plain), editable=True)
    origin = resolve(source)

    assert check_out(source, origin, tmp_path).path == plain
    assert origin.direct_url()["dir_info"] == {"editable": True}
    assert state_of(plain) == before


def test_a_package_of_the_older_kind_is_not_editable(tmp_path):
    folder = write(
        tmp_path / "old", {"package.yaml": "name: old\nversion: '1'\nentry_point: old.run\n", "old.py": "def run(): ..."}
    )
    source = parse(str(folder), editable=True)

    with pytest.raises(UsageError) as raised:
        check_out(source, resolve(source), tmp_path)

    assert raised.value.message == f"`{folder}` can't be editable"
    assert files_of(folder) == {"old.py", "package.yaml"}


def test_git_makes_the_version_of_a_work_tree(tmp_path):
    folder = work_tree(tmp_path / "weather", {"pyproject.toml": FROM_TAGS})
    git(folder, "tag", "--annotate", "--message=x", "v1.2")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=more")

    tree = tree_of(folder, tmp_path / "tree").path
    assert git(tree, "describe", "--tags", "--dirty") == git(folder, "describe", "--tags")
    write(folder, {"pyproject.toml": FROM_TAGS + "\n"})
    changed = tree_of(folder, tmp_path / "changed").path
    assert git(changed, "describe", "--tags", "--dirty") == git(folder, "describe", "--tags") + "-dirty"


@pytest.mark.parametrize("through", ["its path", "a link to it", "a link to the top"])
def test_git_makes_the_version_of_a_project_below_the_top_too(tmp_path, through):
    top = work_tree(tmp_path / "mono", {"plugins/weather/pyproject.toml": FROM_TAGS, "README.md": "", ".gitignore": "*.tmp\n"})
    git(top, "tag", "v1.2")
    write(top, {"other.tmp": ""})
    folder = top / "plugins/weather"
    if through == "a link to it":
        (tmp_path / "link").symlink_to(folder)
        folder = tmp_path / "link"
    elif through == "a link to the top":
        (tmp_path / "link").symlink_to(top)
        folder = tmp_path / "link/plugins/weather"

    tree = tree_of(folder, tmp_path / "tree").path

    assert tree == tmp_path / "tree/plugins/weather"
    assert git(tree, "describe", "--tags", "--dirty") == "v1.2"
    assert files_of(tmp_path / "tree") == {".gitignore", "README.md", "plugins/weather/pyproject.toml"}


def test_git_makes_the_version_in_a_linked_work_tree_and_a_shallow_one(tmp_path):
    folder = work_tree(tmp_path / "weather", {"pyproject.toml": FROM_TAGS})
    git(folder, "tag", "v1")
    git(folder, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    write(tmp_path / "linked", {"more.txt": ""})
    git(tmp_path / "linked", "add", "--all")
    git(tmp_path / "linked", "commit", "-qm", "more")
    git(tmp_path, "clone", "-q", "--depth=1", folder.as_uri(), "shallow")

    linked = tree_of(tmp_path / "linked", tmp_path / "tree").path
    shallow = tree_of(tmp_path / "shallow", tmp_path / "tree-of-shallow").path

    assert git(linked, "describe", "--tags", "--dirty") == git(tmp_path / "linked", "describe", "--tags")
    assert git(shallow, "describe", "--tags", "--dirty") == "v1"


def test_a_work_tree_without_commits_is_a_folder(tmp_path):
    folder = write(tmp_path / "weather", {"pyproject.toml": FROM_TAGS})
    git(folder, "init", "-q")

    assert files_of(tree_of(folder, tmp_path / "tree").path) == {"pyproject.toml"}


def test_submodules_belong_to_the_folder(tmp_path):
    inner = work_tree(tmp_path / "inner", {"data.txt": "data"})
    folder = work_tree(tmp_path / "weather", {"pyproject.toml": PLAIN})
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "vendor/inner")
    git(folder, "commit", "-qm", "submodule")

    assert "vendor/inner/data.txt" in files_of(tree_of(folder, tmp_path / "tree").path)


@pytest.mark.parametrize("pyproject", [PLAIN, FROM_TAGS], ids=["plain", "from-tags"])
def test_no_program_that_the_work_tree_names_is_run(pyproject, tmp_path):
    folder = work_tree(tmp_path / "weather", {"pyproject.toml": pyproject, ".gitattributes": "*.txt filter=evil\n", "a.txt": "a"})
    canary = tmp_path / "canary"
    for name in ("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "core.sshCommand"):
        git(folder, "config", name, f"touch {canary}; cat")
    hook = folder / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)
    (folder / "a.txt").write_text("b")

    tree = tree_of(folder, tmp_path / "tree")

    assert not canary.exists()
    assert (tree.path / "a.txt").read_text() == "b"


def test_the_copied_history_has_no_credentials(tmp_path):
    folder = work_tree(tmp_path / "weather", {"pyproject.toml": FROM_TAGS})
    git(folder, "tag", "v1")
    git(folder, "config", "remote.origin.url", "https://ada:s3cret@example.org/weather.git")
    write(folder / ".git", {"FETCH_HEAD": "https://ada:s3cret@example.org/weather.git\n"})

    tree = tree_of(folder, tmp_path / "tree").path

    found = [path for path in (tree / ".git").rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    assert found == []
    assert git(tree, "describe", "--tags", "--dirty") == "v1"


def test_no_program_that_a_submodule_names_is_run_either(tmp_path):
    inner = work_tree(tmp_path / "inner", {".gitattributes": "*.txt filter=evil\n", "a.txt": "a"})
    folder = work_tree(tmp_path / "weather", {"pyproject.toml": PLAIN})
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "inner")
    git(folder, "commit", "-qm", "submodule")
    canary = tmp_path / "canary"
    git(folder / "inner", "config", "filter.evil.clean", f"touch {canary}; cat")
    os.utime(folder / "inner" / "a.txt", (1, 1))  # so that git must look whether it has changed

    assert resolve(parse(str(folder))).commit_id == git(folder, "rev-parse", "HEAD")
    (folder / "inner" / "a.txt").write_text("b")
    assert resolve(parse(str(folder))).commit_id == ""

    assert not canary.exists()
