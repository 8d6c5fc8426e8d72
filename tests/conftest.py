"""What all tests share."""

from hypothesis import HealthCheck, settings

# No deadline: the machines that run this are shared, and time is never what a test is about. The same examples every
# time: a failure that cannot be repeated helps nobody.
settings.register_profile(
    "handrail", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("handrail")
