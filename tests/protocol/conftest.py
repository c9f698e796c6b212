"""How hard the properties are tried.

The same commit gives the same verdict: examples are not random here. To look for what nobody has seen yet:
`pytest tests/protocol --hypothesis-profile=night`.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "protocol",
    deadline=None,
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("night", settings.get_profile("protocol"), max_examples=3_000, derandomize=False)

if settings.get_current_profile_name() == "default":
    settings.load_profile("protocol")
