"""`multitask merge` from a checkout: `python -m scripts.merge`."""

import sys

from modeling_multitask.commands.merge import main

if __name__ == "__main__":
    sys.exit(main())
