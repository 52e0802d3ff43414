"""The command line."""

import click
import plughost.cli

from ${module} import hookspecs
from ${module}.app import rankings


@click.group()
def main() -> None:
    """${description}"""


@main.command()
@click.argument("versions", nargs=-1, required=True)
def rank(versions: tuple[str, ...]) -> None:
    """Put VERSIONS in order, in the opinion of every plugin."""
    for answer in rankings(list(versions)):
        order = answer.get("error") or " < ".join(answer["order"])
        library = f"({answer['with']})" if "with" in answer else ""
        click.echo(f"{answer['by']:<16} {order:<28} {library}".rstrip())


main.add_command(plughost.cli.commands(project="${module}", hookspecs=hookspecs), "plugins")

if __name__ == "__main__":
    main()
