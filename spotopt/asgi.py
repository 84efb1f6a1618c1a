"""The process `live`: sockets. It serves pages and the API too, so that the demo needs no other."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spotopt.settings")

http = get_asgi_application()  # before any model is imported

from spotopt.sockets import sockets  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": sockets})
