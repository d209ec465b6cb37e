"""`multitask data` from a checkout: `python -m scripts.data`."""

import sys

from modeling_multitask.commands.data import main

if __name__ == "__main__":
    sys.exit(main())
