"""What every test runs under.

Examples that Hypothesis draws have no time limit of their own, for the machine may be busy. Where CI is set, Hypothesis
draws the same examples in every run.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("project", settings.get_profile("ci" if os.environ.get("CI") else "default"), deadline=None)
settings.load_profile("project")
