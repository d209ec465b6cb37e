"""`multitask recipes` from a checkout: `python -m scripts.recipes`."""

import sys

from modeling_multitask.commands.recipes import main

if __name__ == "__main__":
    sys.exit(main())
