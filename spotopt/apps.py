from django.apps import AppConfig


class SpotoptConfig(AppConfig):
    name = "spotopt"

    def ready(self) -> None:
        """Tasks find their queue from every Django process; the local cloud, which is none, pays nothing for it."""
        from spotopt import celery  # noqa: F401
