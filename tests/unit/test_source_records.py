"""Records of research archives: every form of one record is one source."""

from __future__ import annotations

import pytest

from versatilehub.errors import InvalidSource
from versatilehub.source_address import split_url
from versatilehub.source_records import is_ckan, read_ckan, read_dataverse
from versatilehub.sources import parse_source

SHA = "0123456789abcdef0123456789abcdef01234567"
HS = "142c59757ed54de1816777828c9716e7"
ACTIVITY = "7b0ee5a0-7b0e-4b0e-8b0e-7b0ee5a07b0e"
ZENODO = ("zenodo", "https://doi.org/10.5281/zenodo.3242074", "")
FIGSHARE = ("figshare", "https://doi.org/10.6084/m9.figshare.9782777", "")
DATAVERSE = ("dataverse", "https://doi.org/10.7910/DVN/TJCLKP", "")
HYDROSHARE = ("hydroshare", f"https://www.hydroshare.org/resource/{HS}", "")
CKAN = "https://demo.ckan.org/dataset/my-sample-dataset-001"

FORMS = [
    ("10.5281/zenodo.3242074", ZENODO),
    ("10.5281/ZENODO.3242074", ZENODO),
    ("doi:10.5281/zenodo.3242074", ZENODO),
    ("DOI:10.5281/zenodo.3242074", ZENODO),
    ("https://doi.org/10.5281/zenodo.3242074", ZENODO),
    ("http://dx.doi.org/10.5281/zenodo.3242074", ZENODO),
    ("doi.org/10.5281/zenodo.3242074", ZENODO),
    ("https://doi.org/10.5281%2Fzenodo.3242074", ZENODO),
    ("https://zenodo.org/record/3242074", ZENODO),
    ("https://zenodo.org/records/3242074/files/x.zip?download=1", ZENODO),
    ("https://zenodo.org/records/3242074/", ZENODO),
    ("https://zenodo.org/doi/10.5281/zenodo.3242074", ZENODO),
    ("10.6084/m9.figshare.9782777", FIGSHARE),
    ("10.6084/m9.figshare.9782777.v3", (*FIGSHARE[:2], "v3")),
    ("https://figshare.com/articles/dataset/Some_title/9782777", FIGSHARE),
    ("https://figshare.com/articles/dataset/Some_title/9782777/3", (*FIGSHARE[:2], "v3")),
    ("https://figshare.com/articles/9782777", FIGSHARE),
    ("figshare.com/articles/Some_title/9782777/", FIGSHARE),
    (
        "https://su.figshare.com/articles/dataset/Some_title/9782777/2",
        ("figshare", "https://su.figshare.com/articles/9782777", "v2"),
    ),
    (
        "https://su.figshare.com/articles/dataset/Some_title/9782777",
        ("figshare", "https://su.figshare.com/articles/9782777", ""),
    ),
    ("10.7910/DVN/TJCLKP", DATAVERSE),
    ("https://doi.org/10.7910/DVN/TJCLKP", DATAVERSE),
    ("https://dataverse.harvard.edu/dataset.xhtml?persistentId=doi:10.7910/DVN/TJCLKP", DATAVERSE),
    (
        "https://dataverse.harvard.edu/dataset.xhtml?version=1&persistentId=doi%3A10.7910%2FDVN%2FTJCLKP",
        DATAVERSE,
    ),
    ("https://dataverse.harvard.edu/citation?persistentId=doi:10.7910/DVN/TJCLKP", DATAVERSE),
    (f"10.4211/hs.{HS}", HYDROSHARE),
    (f"https://www.hydroshare.org/resource/{HS}/", HYDROSHARE),
    (f"http://hydroshare.org/resource/{HS}/data/contents/x", HYDROSHARE),
    (f"swh:1:rev:{SHA}", ("swhid", f"swh:1:rev:{SHA}", "")),
    (f"SWH:1:dir:{SHA}".replace("SWH", "swh"), ("swhid", f"swh:1:dir:{SHA}", "")),
    (f"swh:1:dir:{SHA};origin=https://github.com/a/b;path=/x", ("swhid", f"swh:1:dir:{SHA}", "")),
    (f"https://archive.softwareheritage.org/swh:1:dir:{SHA};path=/x/", ("swhid", f"swh:1:dir:{SHA}", "")),
    (CKAN, ("ckan", CKAN, "")),
    (f"{CKAN}/", ("ckan", CKAN, "")),
    (f"{CKAN}?activity_id={ACTIVITY}", ("ckan", CKAN, ACTIVITY)),
    (f"{CKAN}/history/{ACTIVITY}", ("ckan", CKAN, ACTIVITY)),
    (f"{CKAN}/resource/{ACTIVITY}?x=1", ("ckan", CKAN, "")),
    (
        "https://open.canada.ca/data/en/dataset/90fed587-1364-4f33-a9ee-208181dc0b97",
        ("ckan", "https://open.canada.ca/data/en/dataset/90fed587-1364-4f33-a9ee-208181dc0b97", ""),
    ),
]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(*row, id=row[0]) for row in FORMS])
@pytest.mark.req("V2")
def test_every_form_of_a_record_is_one_source(text: str, expected: tuple[str, str, str]) -> None:
    """DOI, landing page and file page of a record have one identity; a version is its ref."""
    source = parse_source(text)

    assert expected == (source.provider, source.url, source.ref)
    assert not source.is_git


@pytest.mark.parametrize(
    "text",
    [
        "10.5281/other.1",
        "10.5281/zenodo.abc",
        "10.6084/m9.figshare.x",
        "10.4211/hs.123",
        "10.7910/../x",
        "10.7910/DVN//x",
        "10.7910/DVN/x;id",
        "https://doi.org/",
        "https://doi.org/10.7910",
        "https://zenodo.org/communities",
        "https://zenodo.org/records/abc",
        "https://figshare.com/browse",
        "https://figshare.com/authors/x/123",
        "https://www.hydroshare.org/search/",
        "https://www.hydroshare.org/resource/123",
        f"swh:1:cnt:{SHA}",
        f"swh:1:ori:{SHA}",
        f"swh:2:dir:{SHA}",
        f"swh:1:dir:{SHA}0",
        f"swh:1:dir:{SHA[1:]}",
        "https://archive.softwareheritage.org/browse/",
        "https://archive.softwareheritage.org",
        "https://dataverse.harvard.edu/dataset.xhtml?persistentId=doi:x",
        "https://dataverse.harvard.edu/dataset.xhtml?xpersistentId=doi:10.7910/DVN/TJCLKP",
        f"{CKAN}?activity_id=x;id",
        "https://10.0.0.1/dataset/x1",
    ],
)
def test_what_is_no_record_is_refused_with_an_example(text: str) -> None:
    """Other pages of an archive, other numbers and other kinds are refused, and the hint shows a right one."""
    with pytest.raises(InvalidSource) as caught:
        parse_source(text)

    assert caught.value.hint


def test_readers_refuse_what_they_do_not_claim() -> None:
    """A reader asked for an address of another kind says so and does not guess."""
    address = split_url("https://demo.ckan.org/group/x")

    assert not is_ckan(address)
    with pytest.raises(InvalidSource):
        read_ckan(address)
    with pytest.raises(InvalidSource):
        read_dataverse(address)
