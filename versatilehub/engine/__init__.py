"""Docker's API for the rest of the package; only `transport` imports aiodocker."""

from .containers import Container, Containers
from .core import Engine
from .images import Image, Images
from .networks import Networks
from .volumes import StoredVolume, Volumes

__all__ = ["Container", "Containers", "Engine", "Image", "Images", "Networks", "StoredVolume", "Volumes"]
