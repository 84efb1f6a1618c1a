"""Process `web`: REST and pages."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spotopt.settings")

application = get_wsgi_application()

from mlregistry import news  # noqa: E402 (the apps are loaded above)

news.listen()
