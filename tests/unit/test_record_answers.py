"""What archives answer, read: whatever they send is a plan or one of our errors."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from versatilehub import record_answers as answers
from versatilehub.errors import RecordNotReadable, SourceFailure
from versatilehub.record_answers import Answer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "files",
                    "data",
                    "latestVersion",
                    "entries",
                    "id",
                    "version",
                    "resources",
                    "result",
                    "dates",
                    "links",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=60)
def test_any_answer_is_a_plan_or_a_failure(value: object) -> None:
    """No form of JSON gets past the readers as another kind of error."""
    answer = Answer(value, "archive.example.org")
    for read in (
        lambda: answers.zenodo(answer, answer),
        lambda: answers.figshare(answer),
        lambda: answers.figshare_version(answer, "v1"),
        lambda: answers.dataverse(answer, "https://a.example.org/"),
        lambda: answers.dataset_of_file(answer),
        lambda: answers.hydroshare(answer, "a", "https://a.example.org/", ""),
        lambda: answers.swhid_folder(answer),
        lambda: answers.ckan(answer, str),
        lambda: answers.doi_target(answer, "10.1/a"),
    ):
        with suppress(SourceFailure):
            read()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("md5:" + "AB" * 16, "md5:" + "ab" * 16),
        ("ab" * 16, "md5:" + "ab" * 16),
        ("SHA-256:" + "0" * 64, "sha256:" + "0" * 64),
        ("0" * 128, "sha512:" + "0" * 128),
        ("crc:abcd", ""),
        ("", ""),
        ("z" * 32, ""),
    ],
)
def test_checksums_are_told_by_their_length(text: str, expected: str) -> None:
    """Archives spell the algorithm in many ways, or not at all."""
    entry = {"key": "a", "links": {"content": "u"}, "checksum": text}
    plan = answers.zenodo(Answer({"id": 1}, "h"), Answer({"entries": [entry]}, "h"))

    assert expected == plan.files[0].checksum


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"access_right": "embargoed", "embargo_date": "2031-01-02"}, "embargoed until 2031-01-02"),
        ({"access_right": "embargoed", "embargo_date": "<b>never</b>"}, "its files are embargoed."),
        ({"access_right": "closed"}, "closed"),
    ],
)
def test_an_embargo_says_until_when(metadata: dict[str, str], said: str) -> None:
    """A person learns whether waiting helps."""
    with pytest.raises(RecordNotReadable, match=said):
        answers.zenodo(Answer({"id": 1, "metadata": metadata}, "zenodo.org"), None)


def test_two_resources_of_one_name_are_both_there() -> None:
    """repo2docker lets the later file replace the earlier; here it gets a folder of its own."""
    resources = [{"id": f"r{n}", "url": f"http://data.example.org/{n}/a%20b.csv?x=1"} for n in (1, 2)]
    shown = Answer({"result": {"resources": resources, "metadata_modified": "2026"}}, "h")
    plan = answers.ckan(shown, lambda url: url.replace("http:", "https:"))

    assert ["a b.csv", "r2/a b.csv"] == [file.path for file in plan.files]
    assert plan.files[0].url.startswith("https://")


@pytest.mark.parametrize(
    ("names", "unpack"), [(["a.zip"], True), (["a.txt"], False), (["a.zip", "b"], False)]
)
def test_only_a_zip_alone_is_unpacked_from_figshare(names: list[str], unpack: bool) -> None:
    """As repo2docker does: the name decides there, the content on Zenodo."""
    files = [{"name": name, "download_url": "u"} for name in names]

    assert unpack is answers.figshare(Answer({"version": 1, "files": files}, "h")).unpack


def test_what_is_not_published_is_refused() -> None:
    """A draft or withdrawn dataset, and files under embargo, are not read."""
    version = {"versionNumber": 1, "versionMinorNumber": 0, "versionState": "DEACCESSIONED", "files": []}
    with pytest.raises(RecordNotReadable, match="deaccessioned"):
        answers.dataverse(Answer({"data": {"latestVersion": version}}, "h"), "")
    for key in ("is_embargoed", "is_confidential"):
        with pytest.raises(RecordNotReadable):
            answers.figshare(Answer({key: True, "version": 1, "files": []}, "h"))
