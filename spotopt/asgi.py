"""The demo's one process, and later the sockets."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spotopt.settings")

application = get_asgi_application()

from mlregistry import news  # noqa: E402 (the apps are loaded above)

news.listen()
