"""`python -m graphnn_compiler` is `gnnc`."""

import sys

from graphnn_compiler.cli.main import main

sys.exit(main())
