"""The process `live`: sockets. It serves pages and the API too, so that the demo needs no other."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spotopt.settings")

http = get_asgi_application()  # before any model is imported

from mlregistry import news  # noqa: E402
from spotopt.sockets import sockets  # noqa: E402

news.listen()
application = ProtocolTypeRouter({"http": http, "websocket": sockets})
