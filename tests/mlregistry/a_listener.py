"""A process of the product that tells what it has in memory; started by test_news.py.

It writes a line for each model that the news made it load, and answers "?" with the model it would use now.
"""

import logging
import sys

import django


class Told(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "model in memory":
            print(f"loaded {record.model}", flush=True)  # type: ignore[attr-defined]


if __name__ == "__main__":
    django.setup()
    logging.getLogger("mlregistry.news").addHandler(Told())
    from mlregistry import loading, news

    news.listen()
    for _ in sys.stdin:
        found = loading.active_model()
        print(f"uses {found.name} {found.version}", flush=True)
