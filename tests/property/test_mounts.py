"""Properties of mount plans."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.property.spec_strategies import any_text
from versatilehub.errors import Refusal
from versatilehub.mounts import SYSTEM_PATHS, PlannedMount, plan_mounts

paths = (
    any_text
    | st.text("/.ab", max_size=8).map("/{}".format)
    | st.sampled_from([*SYSTEM_PATHS, "/home/jovyan", "/data", "/data/a"])
)
extras = st.lists(
    st.builds(PlannedMount, target=paths, kind=st.just("volume"), source=st.just("vh-x")), max_size=3
)


@given(
    home=paths,
    home_volume=st.sampled_from(["", "vh-home"]),
    volumes=st.lists(paths, max_size=4),
    extra=extras,
)
def test_a_plan_is_sound_or_refused(
    home: str, home_volume: str, volumes: list[str], extra: list[PlannedMount]
) -> None:
    """No path twice, no system path, no `..`, every declared volume covered, every tmpfs bounded; or a refusal."""
    try:
        plan = plan_mounts(home=home, home_volume=home_volume, image_volumes=volumes, extra=extra)
    except Refusal:
        return
    targets = [mount.target for mount in plan.mounts]

    assert targets == sorted(set(targets))
    assert all(
        target.startswith("/") and len(target) > 1 and ".." not in target.split("/") for target in targets
    )
    assert not [t for t in targets for system in SYSTEM_PATHS if f"{t}/".startswith(f"{system}/")]
    assert len(targets) >= len({path.strip("/") for path in volumes if "." not in path and "//" not in path})
    assert all(mount.size > 0 for mount in plan.mounts if mount.kind == "tmpfs")
    assert all(mount.source for mount in plan.mounts if mount.kind == "volume")
