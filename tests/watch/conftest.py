from tests.watch.scene import scene

__all__ = ["scene"]
