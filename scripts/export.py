"""`multitask export` from a checkout: `python -m scripts.export`."""

import sys

from modeling_multitask.commands.export import main

if __name__ == "__main__":
    sys.exit(main())
