"""Which headers does every answer carry that neither Django nor django-csp sets?"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

UNUSED = ("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "microphone", "midi", "payment")
HEADERS = {
    "Permissions-Policy": ", ".join(f"{name}=()" for name in (*UNUSED, "screen-wake-lock", "usb")),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # a page shows one organization's facts to one person; static files are not asked here
}


class Headers:
    """What a view has said itself stays."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response
