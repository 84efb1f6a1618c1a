"""`./run manage train_model`: make the interruption model from the real traces, or check the shipped one."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mlregistry.training.traces import FILES, MissingData
from mlregistry.training.train import HORIZONS, NothingToLearn, Options, differing, other_figures, train

SHIPPED = Path(__file__).parents[2] / "shipped"


class Command(BaseCommand):
    help = "Train the interruption model from the real traces; writes model, metadata, card and report page."
    requires_system_checks = ()  # needs no database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--region", action="append", default=[], help="only this region (repeatable)")
        parser.add_argument("--instances", action="append", default=[], help="only this type or family (repeatable)")
        parser.add_argument(
            "--csv",
            action="append",
            default=[],
            type=Path,
            help="more Spot price changes: timestamp_utc, region, az, instance_type, product, usd_per_hour",
        )
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--horizon", action="append", default=[], type=float, help="hours (repeatable); the best is kept"
        )
        parser.add_argument("--out", type=Path, help="folder to write to; default: the shipped model's")
        parser.add_argument("--data", type=Path, help="folder of the data set; default: SPOTOPT_DATA")
        parser.add_argument(
            "--check",
            action="store_true",
            help="write nothing; fail unless the same bytes, or at least the same figures, come out",
        )

    def handle(self, **given: Any) -> None:
        data = given["data"] or settings.SPOTOPT_DATA
        if data is None:
            raise CommandError(f"not run: no data: set SPOTOPT_DATA to the folder that holds {', '.join(FILES)}")
        options = Options(
            data=data,
            seed=given["seed"],
            horizons=tuple(timedelta(hours=hours) for hours in given["horizon"]) or HORIZONS,
            regions=frozenset(given["region"]),
            instances=frozenset(given["instances"]),
            more_prices=given["csv"],
        )
        folder = given["out"] or SHIPPED
        try:
            made = train(options, self.stdout.write)
        except MissingData as missing:
            raise CommandError(f"not run: no data: {missing}") from missing
        except NothingToLearn as reason:
            raise CommandError(f"not trained: {reason}") from reason
        if given["check"]:
            self._check(made, folder)
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (folder / name).write_bytes(content)
        self.stdout.write(f"written to {folder}: {', '.join(made)}")

    def _check(self, made: dict[str, bytes], folder: Path) -> None:
        files = differing(made, folder)
        if not files:
            self.stdout.write(f"the same bytes as in {folder}: {', '.join(made)}")
        elif figures := other_figures(made, folder):
            raise CommandError(f"not the same as in {folder}: {', '.join(files)}; other figures: {', '.join(figures)}")
        else:
            self.stdout.write(f"other bytes than in {folder} ({', '.join(files)}), and the same figures to four digits")
