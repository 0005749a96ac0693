"""Docker's API for the rest of the package; only `transport` imports aiodocker."""

from .containers import Container, Containers
from .core import Engine
from .images import Image, Images, Step
from .networks import Networks
from .registries import Login, Registries, Transfer
from .volumes import StoredVolume, Volumes

__all__ = [
    "Container",
    "Containers",
    "Engine",
    "Image",
    "Images",
    "Login",
    "Networks",
    "Registries",
    "Step",
    "StoredVolume",
    "Transfer",
    "Volumes",
]
