"""Load the demo: a mailbox, tables and agents of the acting person; switches pilot steps on."""

from argparse import ArgumentParser, Namespace

from pilot.cli import acting
from pilot.cli.terminal import say, show
from pilot.engine.demo import loading


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(run=_run)


def _run(args: Namespace) -> None:
    config = acting.connect()
    owner = acting.person(args)
    loaded = loading.load(data=config.data, by=acting.actor(), user_id=owner.id)
    if args.json:
        show(
            {
                "owner": owner.email,
                "agents": {name: str(made) for name, made in loaded.agents.items()},
                "files": [str(path) for path in loaded.files],
                "switched_on": loaded.switched_on,
                "missing": loaded.missing,
            }
        )
        return
    say(f"{len(loaded.files)} files and {len(loaded.agents)} agents made for {owner.email}.")
    for name, made in loaded.agents.items():
        say(f"  {made}  {name}")
    for name in loaded.missing:
        say(f"  not made: {name} (your own tables of these names do not fit)")
    if loaded.switched_on:
        say("Run pilot steps: on.")
