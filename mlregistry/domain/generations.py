"""In which year did AWS launch an instance family?

Years of general availability as announced in the "What's New" posts of AWS; a family that is not listed has an
unknown age, and a pool of unknown age has no features. Adding a family is a new version.
"""

from __future__ import annotations

VERSION = "launch-years-1"

_FAMILIES_BY_YEAR: dict[int, str] = {
    2006: "m1",
    2008: "c1",
    2010: "m2 t1",
    2012: "m3",
    2013: "c3 cr1 g2 i2",
    2014: "r3 t2",
    2015: "c4 d2 m4",
    2016: "p2 r4 x1",
    2017: "c5 f1 g3 h1 i3 m5 p3 x1e",
    2018: "a1 c5d c5n m5a m5d p3dn r5 r5a r5d t3 u-12tb1 u-6tb1 u-9tb1 z1d g3s",
    2019: "g4dn i3en inf1 m5ad m5dn m5n r5ad r5dn r5n t3a u-18tb1 u-24tb1",
    2020: "c5a c5ad c6g c6gd c6gn d3 d3en g4ad m5zn m6g m6gd mac1 p4d r5b r6g r6gd t4g",
    2021: "c6i dl1 g5 g5g im4gn is4gen m6a m6i r6i vt1 x2gd",
    2022: "c6a c6id c6in c7g hpc6a hpc6id i4i m6id m6idn m6in mac2 p4de r6a r6id r6idn r6in trn1 u-3tb1 x2idn x2iedn "
    "x2iezn",
    2023: "c7a c7gd c7gn c7i dl2q hpc7a hpc7g i4g inf2 m7a m7g m7gd m7i m7i-flex mac2-m2 mac2-m2pro p5 r7a r7g r7gd "
    "r7i r7iz trn1n",
    2024: "c7i-flex c8g f2 g6 g6e gr6 i7ie i8g m8g mac2-m1ultra p5e p5en r8g trn2 u7i-12tb u7in-16tb u7in-24tb "
    "u7in-32tb x8g",
    2025: "c8a c8gd c8gn c8i c8i-flex g6f gr6f i7i i8ge m8a m8gd m8i m8i-flex mac-m4 mac-m4pro p6-b200 p6-b300 r8a "
    "r8gb r8gd r8gn r8i r8i-flex",
}


def launch_years() -> dict[str, int]:
    """Family → year of launch."""
    return {family: year for year, families in _FAMILIES_BY_YEAR.items() for family in families.split()}
