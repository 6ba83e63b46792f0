"""The daily recovery scores of the LifeSnaps people, worked out a second time.

Promises: written from the documented formulas alone, in another language than the engine and with another library's means
and deviations, so that both can only agree by being right. Prints one JSON line for each person and day that has a score or
a reason for having none. Stops at this data set: no workouts, one source, a sleep target of eight hours.

    python3 recovery.py .../lifesnaps/daily.csv
"""

import csv
import json
import sys
from collections import defaultdict
from datetime import date, timedelta

import numpy as np

WEIGHTS = {"stress": 0.25, "sleep": 0.30, "hr": 0.20, "load": 0.25}
SLEEP_TARGET_MINUTES = 8 * 60
BASELINE_DAYS = 14
# Scales the logistic curve to the normal distribution's.
LOGISTIC_SCALE = 1.702
LEAST_SPREAD_BPM = 1.0
ACTIVE_MINUTES_INTENSITY = 4.0


def plausible(value, least, greatest):
    """What validation refuses counts as not measured."""
    return value if least <= value <= greatest else np.nan


def daily_values(row):
    """A day's stress, sleep, heart rate and training load, NaN where nothing was measured."""

    def cell(column):
        return float(row[column]) if row[column] else np.nan

    asleep = cell("minutes_asleep")
    # A night without a minute in bed has no period.
    in_bed = asleep + cell("minutes_awake") > 0
    active_minutes = cell("moderately_active_minutes") + cell("very_active_minutes")
    return (
        plausible(100 - cell("stress_management_score"), 0, 100),
        plausible(asleep, 0, 960) if in_bed else np.nan,
        plausible(cell("resting_hr_bpm"), 30, 100),
        plausible(active_minutes, 0, 24 * 60) * ACTIVE_MINUTES_INTENSITY,
    )


def days_before(values, day, count):
    """The values of the `count` days before `day`, fewer where the history begins later."""
    return values[max(0, day - count) : day]


def hr_component(hr, day):
    earlier = hr[:day]
    baseline = earlier[~np.isnan(earlier)][-BASELINE_DAYS:]
    if len(baseline) < BASELINE_DAYS:
        return np.nan
    spread = max(np.std(baseline, ddof=1), LEAST_SPREAD_BPM)
    return 100 / (1 + np.exp(LOGISTIC_SCALE * (hr[day] - np.mean(baseline)) / spread))


def load_component(load, day):
    earlier = days_before(load, day, 28)
    measured = np.flatnonzero(~np.isnan(earlier))
    if len(measured) == 0:
        return np.nan
    history = len(earlier) - measured[0]
    usual_week = 7 * np.nansum(earlier) / history
    if history < BASELINE_DAYS or usual_week <= 0:
        return np.nan
    return np.clip(week_load(load, day) / usual_week * 100, 0, 100)


def week_load(load, day):
    week = load[max(0, day - 6) : day + 1]
    return np.nan if np.all(np.isnan(week)) else np.nansum(week)


def judge(stress, sleep, hr, load, day):
    """What is said about a day; None where there is nothing to go by."""
    if np.isnan([stress[day], sleep[day], hr[day], week_load(load, day)]).all():
        return None
    components = {
        "stress": np.clip(100 - stress[day], 0, 100),
        "sleep": np.clip(sleep[day] / SLEEP_TARGET_MINUTES * 100, 0, 100),
        "hr": hr_component(hr, day),
        "load": load_component(load, day),
    }
    known = {name: float(value) for name, value in components.items() if not np.isnan(value)}

    so_far = np.array([stress, sleep, hr, load])[:, : day + 1]
    input_days = int((~np.isnan(so_far)).any(axis=0).sum())
    days_missing = max(0, BASELINE_DAYS - input_days)
    status = "calibrating" if days_missing else "scored" if len(known) >= 2 else "insufficient"
    score = None
    if status == "scored":
        weights = [WEIGHTS[name] for name in known]
        score = float(np.average(list(known.values()), weights=weights))
    return {
        "status": status,
        "days_missing": days_missing,
        "components": {name: known.get(name) for name in WEIGHTS},
        "score": score,
        "missing": [name for name in WEIGHTS if name not in known],
    }


def main(path):
    people = defaultdict(dict)
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            people[row["participant"]][date.fromisoformat(row["date"])] = daily_values(row)
    for person, days in people.items():
        first = min(days)
        # A day's load still counts six days later.
        length = (max(days) - first).days + 1 + 6
        values = np.full((4, length), np.nan)
        for day, measured in days.items():
            values[:, (day - first).days] = measured
        for day in range(length):
            verdict = judge(*values, day)
            if verdict is not None:
                print(json.dumps({"person": person, "date": str(first + timedelta(day)), **verdict}))


if __name__ == "__main__":
    main(sys.argv[1])
