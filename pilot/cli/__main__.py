"""`python -m pilot.cli` is the `pilot` command."""

import sys

from pilot.cli import main

sys.exit(main())
