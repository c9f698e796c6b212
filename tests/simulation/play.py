"""Plays many seeds, on all cores: `make simulate SEEDS=10000 FROM=0`. The first broken promise is told as a story."""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from simulation.truth import Broken
from simulation.world import World

AT_ONCE = 20
"""Seeds that a worker plays before it reports."""


def played(first: int, seeds: int) -> str | None:
    """The story of the first seed that breaks a promise."""
    for seed in range(first, first + seeds):
        try:
            World(seed).play()
        except Broken as broken:
            return str(broken)
        except Exception as error:
            raise RuntimeError(f"seed {seed} ended with {error!r}") from error
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N")
    parser.add_argument("--from", type=int, default=0, metavar="K", dest="first")
    wanted = parser.parse_args()
    end, began, done = wanted.first + wanted.seeds, time.monotonic(), 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        parts = [(first, min(AT_ONCE, end - first)) for first in range(wanted.first, end, AT_ONCE)]
        for (_, seeds), story in zip(parts, pool.map(played, *zip(*parts, strict=True)), strict=True):
            if story is not None:
                sys.stdout.write(f"\n{story}\n")
                pool.shutdown(cancel_futures=True)
                return 1
            done += seeds
            sys.stdout.write(f"\r{done} of {wanted.seeds} seeds, {time.monotonic() - began:.0f} s")
            sys.stdout.flush()
    sys.stdout.write(": no promise was broken\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
