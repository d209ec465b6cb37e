"""`multitask train` from a checkout: `python -m scripts.train`, `accelerate launch scripts/train.py RECIPE`."""

import sys

from modeling_multitask.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
