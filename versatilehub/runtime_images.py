"""What an administrator sets about images, and what a hub shares of them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets import HasTraits

from versatilehub.images.book import ImageBook
from versatilehub.images.shelf import Shelf
from versatilehub.storage.content import Contents

if TYPE_CHECKING:
    from versatilehub.engine import Engine
    from versatilehub.store import Store


class ImageTraits(HasTraits):
    """Traits of images; a part of `VersatileHub`."""

    if TYPE_CHECKING:  # of `VersatileHub` itself
        state_dir: str

        @cached_property
        def engine(self) -> Engine: ...  # noqa: D102

        @cached_property
        def store(self) -> Store: ...  # noqa: D102

    @cached_property
    def image_book(self) -> ImageBook:
        """What the database knows of images."""
        return ImageBook(self.store)

    @cached_property
    def shelf(self) -> Shelf:
        """The images of this hub."""
        probes = Path(self.state_dir).absolute() / "probes"
        return Shelf(self.engine, contents=Contents(self.engine), probes=probes, book=self.image_book)
