"""`python -m watcher` is `nobg`."""

import sys

from watcher.cli.main import main

sys.exit(main())
