import pytest

from plughost import _pip_errors, _uv_errors
from plughost._failures import Doing
from plughost._process import Completed
from plughost.errors import ResolveError

DOING = Doing(message="Failed to lock the dependencies of `weather`", error=ResolveError, reference="resolution-conflict")

CONFLICT = """\
Using CPython 3.11.7 interpreter at: /usr/bin/python3.11
error: No solution found when resolving dependencies for split (markers: sys_platform == 'linux')
  cause: Because flask>=3.0.0 depends on click>=8.1.3 and your project depends on click<8, we can conclude that flask>=3.0.0 and \
your project are incompatible.
         And because your project depends on flask>=3, we can conclude that your project's requirements are unsatisfiable.
"""
CONFLICT_DRAWN = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because only the following versions of flask are available:
          flask<=3.0.0
          flask==3.0.1
      and flask>=3.0.0 depends on click>=8.1.3, we can conclude that all of flask depends on click.
"""
BUILD_FAILED = """\
error: Failed to build `docopt @ https://example.org/docopt.tar.gz`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

         [stderr]
         error: No space left on device
         Traceback (most recent call last):
           File "<string>", line 14, in <module>
         ValueError: my bad

hint: Build failures usually indicate a problem with the package or the build environment
"""
BUILD_FAILED_DRAWN = """\
  × Failed to build `docopt @ https://example.org/docopt.tar.gz`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)

      [stderr]
      error: the network was disabled
      Traceback (most recent call last):
        File "<string>", line 14, in <module>
      ValueError: my bad

      hint: This usually indicates a problem with the package or the build environment.
"""
DISK_FULL = """\
error: Failed to install: click-8.5.1-py3-none-any.whl (click==8.5.1)
  cause: failed to copy file from /store/a to /store/b: No space left on device (os error 28)
"""
INDEX_AUTH = """\
error: No solution found when resolving dependencies
  cause: Because sky was not found in the package registry and you require sky, we can conclude that your requirements are \
unsatisfiable.

hint: An index URL (https://ada:sesame@example.org/simple) could not be queried due to a lack of valid authentication \
credentials (401 Unauthorized).
"""
TLS = """\
error: Failed to fetch: https://example.org/simple/attrs/
  cause: error sending request for url (https://example.org/simple/attrs/)
  cause: invalid peer certificate: UnknownIssuer
"""


def uv_error(stderr: str, returncode: int = 1):
    return _uv_errors.failure(Completed(["uv", "lock"], returncode, b"", stderr.encode()), DOING, log="x.log")


def pip_error(stdout: str, stderr: str):
    return _pip_errors.failure(Completed(["pip"], 1, stdout.encode(), stderr.encode()), DOING, offline=False)


@pytest.mark.parametrize(
    ("stderr", "reference"),
    [
        (CONFLICT, "resolution-conflict"),
        (CONFLICT_DRAWN, "resolution-conflict"),
        (BUILD_FAILED, "build-failed"),
        (BUILD_FAILED_DRAWN, "build-failed"),
        (DISK_FULL, "disk-full"),
        (INDEX_AUTH, "index-auth"),
        (TLS, "tls"),
    ],
)
def test_uvs_words_are_told_apart(stderr, reference):
    error = uv_error(stderr)
    assert error.reference == reference
    assert reference in type(error).references
    assert (error.message, error.log) == (DOING.message, "x.log")


def test_a_conflict_is_one_cause_in_words_that_fit_outside_uv():
    (cause,) = uv_error(CONFLICT).causes
    assert cause.startswith("Because flask>=3.0.0 depends on click>=8.1.3 and what is asked for is click<8, we can conclude")
    assert cause.endswith("And because what is asked for is flask>=3, they can't all be met")
    (cause,) = uv_error(CONFLICT_DRAWN).causes
    assert cause.startswith("Because only the following versions of flask are available: flask<=3.0.0 flask==3.0.1 and flask>=3")


@pytest.mark.parametrize("stderr", [BUILD_FAILED, BUILD_FAILED_DRAWN])
def test_a_failed_build_is_told_by_the_backends_exception(stderr):
    assert uv_error(stderr).causes == ("ValueError: my bad",)


def test_credentials_are_not_in_the_causes():
    fetch = "error: Failed to fetch: https://ada:sesame@example.org/simple/\n  cause: dns error\n"
    assert uv_error(fetch).causes == ("Failed to fetch: https://example.org/simple/", "dns error")
    assert "sesame" not in str(uv_error(INDEX_AUTH))


def test_a_silent_end_is_told_by_its_signal():
    assert uv_error("", returncode=-9).causes == ("`uv` ended with signal 9",)


def test_pips_conflict_is_told_by_who_asks_for_what():
    stdout = (
        "The conflict is caused by:\n    The user requested click<8\n    flask 3.1.3 depends on click>=8.1.3\n\nTo fix this\n"
    )
    error = pip_error(stdout, "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io\n")
    assert error.reference == "resolution-conflict"
    assert error.causes == ("The user requested click<8; flask 3.1.3 depends on click>=8.1.3",)


def test_what_a_backend_prints_under_pip_is_no_cause():
    stderr = """\
  error: subprocess-exited-with-error

  × Getting requirements to build wheel did not run successfully.
  │ exit code: 1
  ╰─> [3 lines of output]
      error: No space left on device
      Traceback (most recent call last):
        File "<string>", line 1, in <module>
      ValueError: my bad
      [end of output]
ERROR: Failed to build 'file:///bad' when getting requirements to build wheel
"""
    error = pip_error("", stderr)
    assert (error.reference, error.causes) == ("build-failed", ("ValueError: my bad",))


def test_pips_diagnosis_of_a_backend_that_is_not_there_is_the_cause():
    stderr = """\
  error: backend-unavailable

  × Cannot import build backend 'nope'.
  ╰─> ModuleNotFoundError: No module named 'nope'

  note: This is likely not a problem with pip.
ERROR: Failed to build 'file:///bad' when calling build backend hook get_requires_for_build_wheel
"""
    error = pip_error("", stderr)
    assert error.reference == "build-failed"
    assert error.causes == ("Cannot import build backend 'nope'", "ModuleNotFoundError: No module named 'nope'")


def test_the_cause_is_found_behind_megabytes_of_output():
    flood = "      x\n" * (1 << 18)
    report = "      [end of output]\nERROR: Failed to build 'file:///bad' when getting requirements to build wheel\n"
    said = pip_error("", f"  ╰─> [3 lines of output]\n{flood}      no foo.h\n{report}")
    assert (said.reference, said.causes) == ("build-failed", ("no foo.h",))
    assert uv_error(f"{flood}{BUILD_FAILED}").causes == ("ValueError: my bad",)


def test_a_repository_out_of_reach_is_a_network_error():
    stderr = """\
error: Failed to download and build `sky @ git+https://example.org/sky`
  cause: Git operation failed
  cause: fatal: unable to access 'https://example.org/sky/': Failed to connect to example.org port 443
"""
    assert uv_error(stderr).reference == "network"


def test_of_a_compilers_errors_the_first_is_told_and_not_that_its_command_failed():
    stderr = """\
  ╰─> [5 lines of output]
      x.c:2:10: fatal error: foo.h: No such file or directory
      compilation terminated.
      error: command '/usr/bin/gcc' failed with exit code 1
      [end of output]
ERROR: Failed building wheel for x
"""
    assert pip_error("", f"  × Building wheel for x did not run successfully.\n{stderr}").causes == (
        "x.c:2:10: fatal error: foo.h: No such file or directory",
    )


def test_a_build_requirement_that_pip_does_not_find_is_the_cause():
    stderr = """\
  × installing build dependencies did not run successfully.
  ╰─> [2 lines of output]
      ERROR: Could not find a version that satisfies the requirement nope (from versions: none)
      ERROR: No matching distribution found for nope
      [end of output]
ERROR: Failed to build 'file:///bad' when installing build dependencies
"""
    error = pip_error("", stderr)
    assert (error.reference, error.causes) == ("build-requires", ("ERROR: No matching distribution found for nope",))
