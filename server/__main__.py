"""`python -m reverie.server` is `reverie`."""

import sys

from reverie.server.cli import main

sys.exit(main())
