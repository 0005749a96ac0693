"""Values for property tests of specs, names, policies and mounts: free ones, hostile ones and valid ones."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

from tests.bad_inputs import load
from versatilehub.policy import Policy, Profile, Usage
from versatilehub.spec import KEYS

GIB = 1024**3

#: Any text, also with what no file can hold, and every hostile text of the corpus.
any_text = st.text() | st.text(st.characters(exclude_categories=())) | st.sampled_from(
    sorted(
        {
            case.value
            for case in load("repo_url", "ref", "subdir", "image", "memory", "cpu", "urlpath", "filepath", "server_name")
            if isinstance(case.value, str)
        }
    )
)  # fmt: skip
#: Any value JSON has, and the not-a-numbers Python's reader lets through.
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=10,
)

_word = st.text(string.ascii_lowercase + string.digits, min_size=2, max_size=12)
_name = st.text(string.ascii_letters + "éü日 ()#&=%'!~@+,_-", min_size=1, max_size=12).filter(
    lambda s: s == s.strip() and s[0] not in "-~" and "%" not in s
)
_source = st.builds("https://git.x1{}.org/{}/{}".format, _word, _word, _word) | st.builds(
    "https://github.com/x1{}/{}".format, _word, _word
)
_mounts = st.lists(
    st.fixed_dictionaries(
        {
            "volume": _word.filter(lambda s: not s.startswith("vh-")),
            "at": st.builds("/home/jovyan/{}".format, _word),
        },
        optional={"mode": st.sampled_from(["rw", "ro"])},
    ),
    max_size=3,
)
_options: dict[str, st.SearchStrategy[Any]] = {
    "open": st.lists(_name, min_size=1, max_size=3).map("/".join)
    | st.sampled_from(["lab", "rstudio/", "/lab/tree/é b", "tree?x=1"]),
    "profile": _word,
    "memory": st.integers(1, 2**62) | st.builds("{}{}".format, st.integers(1, 999), st.sampled_from("KMGT")),
    "cpus": st.floats(0.001, 4096) | st.integers(1, 64),
    "gpus": st.integers(0, 64),
    "idle_timeout": st.integers(1, 10**7),
    "mounts": _mounts,
    "collaborators": st.lists(_word, max_size=3),
    "credentials": st.sampled_from(["none", "env", "file"]),
    "placement": st.sampled_from(["home", "image"]),
}
_starts = (
    st.fixed_dictionaries({"source": _source}, optional={"ref": _word, "subdir": _word, **_options})
    | st.fixed_dictionaries({"image": st.builds("quay.io/{}/{}:{}".format, _word, _word, _word)}, optional=_options)
    | st.fixed_dictionaries({"workspace": _word}, optional=_options)
)  # fmt: skip
#: JSON objects that are launch specs.
valid_specs = _starts
#: JSON objects that have our keys and any values, some of them right.
nearly_specs = st.dictionaries(st.sampled_from(KEYS), any_json, max_size=6) | st.builds(
    lambda spec, key, value: spec | {key: value}, valid_specs, st.sampled_from(KEYS), any_json
)

usages = st.builds(
    Usage, named_servers=st.lists(_word, max_size=8, unique=True).map(tuple), running=st.integers(0, 20)
)  # fmt: skip
policies = st.builds(
    Policy,
    allow_sources=st.booleans(),
    images=st.sampled_from([(), ("quay.io/*",)]),
    memory_max=st.sampled_from([2 * GIB, 2**62]),
    cpus_max=st.sampled_from([1.0, 4096.0]),
    profiles=st.sampled_from([(), (Profile(name="small", label="Small", memory=GIB, cpus=0.5),)]),
    named_servers=st.none() | st.integers(0, 6),
    running_max=st.none() | st.integers(1, 6),
    gpus_max=st.integers(0, 2),
    offers=st.sampled_from([(), ("workspace", "mounts", "collaborators", "credentials", "idle_timeout")]),
)
