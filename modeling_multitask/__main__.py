"""`python -m modeling_multitask` is the command `multitask`."""

import sys

from .commands import main

sys.exit(main())
