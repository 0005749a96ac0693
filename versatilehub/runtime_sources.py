"""The traits of `VersatileHub` about archives, and how sources are asked."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from traitlets import Dict, HasTraits, TraitError, Unicode, validate

from versatilehub.errors import InvalidInput
from versatilehub.record_plan import ArchiveHosts
from versatilehub.resolver import Asking


class SourceTraits(HasTraits):
    """What an administrator sets about where sources are asked for their versions."""

    if TYPE_CHECKING:  # a trait of `VersatileHub` itself
        ca_bundle: str

    archive_hosts = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        config=True,
        help="""Addresses of mirrors in place of the public archives, by name: doi, zenodo, figshare, hydroshare, swhid.

        Plain http and private addresses must be below one of `extra_sources` as well. Dataverse and CKAN are asked where a link
        leads. Default: the public ones. Example: ``c.VersatileHub.archive_hosts = {"zenodo": "https://sandbox.zenodo.org/"}``
        """,
    )

    @validate("archive_hosts")
    def _valid_archive_hosts(self, proposal: Any) -> dict[str, str]:
        try:
            ArchiveHosts.of(proposal["value"])
        except InvalidInput as error:
            raise TraitError(f"{error.message} {error.hint}") from error
        return dict(proposal["value"])

    @cached_property
    def asking(self) -> Asking:
        """How a source is asked which version is meant."""
        return Asking(ca_bundle=self.ca_bundle, archives=ArchiveHosts.of(self.archive_hosts))
