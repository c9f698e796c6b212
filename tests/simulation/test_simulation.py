"""Fifty seeds of the mesh in a bottle."""

import os

import pytest

from ffmesh_protocol.reasons import ReasonCode
from simulation.network import Weather
from simulation.world import World

SEEDS = int(os.environ.get("FFMESH_SEEDS", "50"))
FIRST = int(os.environ.get("FFMESH_FROM", "0"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_whatever_fails_no_job_is_forgotten_or_run_twice_and_every_job_ends(seed: int) -> None:
    World(seed).play()


def test_on_a_calm_network_every_program_runs_and_every_client_hears_all_of_it() -> None:
    world = World(1, faulty_for=0.0, weather=Weather(delay=0.01))
    world.faulty = False
    world.play()
    never_ran = [job for job in world.coordinator.jobs.values() if job.id not in world.truth.of_job]
    assert world.truth.runs
    assert all(job.reason_code is ReasonCode.CANCELLED for job in never_ran)
