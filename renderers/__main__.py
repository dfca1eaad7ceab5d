"""``python -m renderers`` is the command ``genstage``."""

import sys

from renderers.cli import main

if __name__ == "__main__":
    sys.exit(main())
