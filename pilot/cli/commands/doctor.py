"""Check an installation: servers, roles, migrations, workers, audit chain, what waits."""

from argparse import ArgumentParser, Namespace

from pilot.cli.terminal import say, show
from pilot.config import Config
from pilot.services import doctor


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(run=_run)


def _run(args: Namespace) -> int:
    findings = doctor.examine(Config.from_env())
    if args.json:
        show([vars(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{'ok  ' if finding.ok else 'FAIL'} {finding.check}: {finding.message}")
    return 0 if all(finding.ok for finding in findings) else 1
