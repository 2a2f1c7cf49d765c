"""`python -m watcher` is `nobg`."""

import sys

from watcher.cli import main

sys.exit(main())
