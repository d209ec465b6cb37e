"""`multitask schema` from a checkout: `python -m scripts.schema`."""

import sys

from modeling_multitask.commands.schema import main

if __name__ == "__main__":
    sys.exit(main())
