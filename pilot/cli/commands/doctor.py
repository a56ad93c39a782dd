"""Check an installation: servers, roles, migrations, workers, audit chain, what waits."""

from argparse import ArgumentParser, Namespace

from pilot.cli.terminal import say, show
from pilot.config import Config
from pilot.errors import ConfigError
from pilot.services import doctor


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(run=_run)


def _run(args: Namespace) -> int:
    findings = doctor.examine(_config())
    if args.json:
        show([vars(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{'ok  ' if finding.ok else 'FAIL'} {finding.check}: {finding.message}")
    return 0 if all(finding.ok for finding in findings) else 1


def _config() -> Config:
    """Read the environment; a key file that cannot be read is one finding among the others."""
    try:
        return Config.from_env()
    except ConfigError:
        return Config.from_env(without_keys=True)
