"""The commands for what is broken, and for what is left over."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument, flag

__all__ = ["COMMANDS"]

_DOCTOR = Command(
    "doctor",
    group="Health",
    summary="Tell what is wrong with plugins, the store and this machine",
    description="""\
Look at every file of plugins and their environments, hash it, and say which are missing or not what was installed, whether \
their Pythons are still there, and what to do. Without a NAME: of all plugins, with the store, the disk, uv, git and the Pythons \
on this machine. Nothing is changed, and no plugin is started. It ends with 5 where something is wrong.""",
    parameters=(argument("names", "[NAME]...", multiple=True, required=False, completes="plugin"), JSON),
    examples=(("doctor", "everything"), ("doctor weather", "one plugin"), ("doctor --json", "for a program")),
    handler="plughost.cli._doctor:doctor",
)

_REPAIR = Command(
    "repair",
    group="Health",
    summary="Make again what is damaged of plugins",
    description="""\
Make again what is damaged or missing of plugins, from their locks and wheels: environments, also where their Python has moved \
or is gone, and the files of the store. The new is made beside the old, and takes its place once it has shown that it can be \
imported; calls that run finish on the old. No network is needed where the store's cache has the wheels. Damaged files are set \
aside. Without a NAME, all plugins; what is sound is left alone.""",
    parameters=(
        argument("names", "[NAME]...", multiple=True, required=False, completes="plugin"),
        flag("--all", "Repair all plugins, as without a name"),
        flag("--offline", "Use nothing from the network"),
        JSON,
    ),
    examples=(("repair weather", "one"), ("repair --all", "all")),
    handler="plughost.cli._repair:repair",
)

_GC = Command(
    "gc",
    group="Health",
    summary="Delete what nothing refers to any more",
    description="""\
Delete what killed commands have left, environments and revisions that nothing refers to, what was kept for a time that is \
over, and packages in the installer's cache that no plugin has. What a worker is using stays.""",
    parameters=(flag("--dry-run", "Only list it, with the space that it takes"), JSON),
    examples=(("gc --dry-run", "look first"), ("gc", "")),
    handler="plughost.cli._gc:collect",
)

COMMANDS = (_DOCTOR, _REPAIR, _GC)
