"""What the launcher starts: it imports `front.py`, so that its bytecode is kept.

    python -S -I start.py REAL PYTHON KEY CONFIG NAME ARGS…

A program that is run by its path is compiled anew each time, and that would be a quarter of what each call costs.
"""

import sys

sys.path.insert(0, __file__.rpartition("/")[0])
front = __import__("front")  # by its bare name: to find a package takes longer
del sys.path[0]
front.begin()
