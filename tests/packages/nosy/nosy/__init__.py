"""Looks around, as far as it is let."""

import os
import subprocess
import tempfile


def about():
    return {
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "ids": list(os.getresuid()),
        "temporary": tempfile.gettempdir(),
        "home": os.path.expanduser("~"),
    }


def names(path):
    return sorted(os.listdir(path))


def exists(path):
    os.stat(path)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def delete(path):
    os.unlink(path)


def leave(code, text):
    os.write(2, text.encode())
    os._exit(code)


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
