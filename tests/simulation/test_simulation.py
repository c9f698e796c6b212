"""A hundred seeds of the mesh in a bottle. `make simulate SEEDS=10000 FROM=200` plays others, and more of them."""

import os

import pytest

from ffmesh_protocol.reasons import ReasonCode
from simulation.network import Weather
from simulation.world import World

SEEDS = int(os.environ.get("FFMESH_SEEDS", "100"))
FIRST = int(os.environ.get("FFMESH_FROM", "0"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_whatever_fails_no_job_is_forgotten_or_written_twice_and_every_job_ends(seed: int) -> None:
    World(seed).play()


def test_on_a_calm_network_every_program_runs_and_every_client_hears_all_of_it() -> None:
    world = World(1, faulty_for=0.0, weather=Weather(delay=0.01))
    world.faulty = False
    world.play()
    never_ran = [job for job in world.coordinator.jobs.values() if job.id not in world.truth.of_job]
    assert world.truth.runs
    assert all(job.reason_code in NEVER_RAN for job in never_ran)


NEVER_RAN = {ReasonCode.CANCELLED, ReasonCode.PARENT_FAILED, ReasonCode.PARENT_CANCELLED}


def test_a_seed_tells_the_same_story_each_time() -> None:
    assert story_of(7) == story_of(7)


def story_of(seed: int) -> list[str]:
    world = World(seed)
    world.play()
    return list(world.story)
