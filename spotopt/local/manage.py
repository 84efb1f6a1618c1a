"""./run manage: on which database, Redis and cloud does a management command work?

On those of the environment where DATABASE_URL is set; else on the running demo's; else on the demo's state, with
services started for just this command.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

from spotopt.local import house, services, supervise
from spotopt.local.postgres import CannotStart

CHANGES_TABLES = {"migrate", "sqlflush", "flush"}


def run(words: list[str]) -> int:
    if os.environ.get("DATABASE_URL"):
        return _manage(words, dict(os.environ))
    state = house.state_dir()
    with ExitStack() as stack:
        running = stack.enter_context(services.start(state, durable=True))
        cloud_url = None if running.children else house.running_cloud(state)
        if cloud_url is None:
            cloud = house.start_cloud(state)
            stack.callback(cloud.stop)
            cloud.wait()
            cloud_url = cloud.url
        environment = house.settings(running, cloud_url, house.own_secrets(state))
        if words[:1] and words[0] in CHANGES_TABLES:
            environment = house.as_owner(environment)
        return _manage(words, environment)


def _manage(words: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(
        [supervise.python(), house.ROOT / "manage.py", *words], cwd=house.ROOT, env=environment, check=False
    ).returncode


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except CannotStart as error:
        sys.exit(str(error))
