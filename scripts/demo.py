"""`multitask demo` from a checkout: `python -m scripts.demo`."""

import sys

from modeling_multitask.commands.demo import main

if __name__ == "__main__":
    sys.exit(main())
