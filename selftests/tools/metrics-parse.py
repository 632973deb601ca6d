#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Holds a text to OpenMetrics, and another, of Prometheus' format, beside it.

metrics-parse.py OPENMETRICS PROMETHEUS: prints each sample as a line of JSON.
"""
import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

with open(sys.argv[1], encoding="utf-8") as f:
    families = list(openmetrics(f.read()))
with open(sys.argv[2], encoding="utf-8") as f:
    others = list(prometheus(f.read()))

names = [family.name for family in families]
assert len(set(names)) == len(names), names
for family in families + others:
    assert family.name.startswith("vhost_") and family.documentation, family
    assert family.type != "unknown", family
    for sample in family.samples:
        assert set(sample.labels) >= {"device", "driver", "node", "pid", "comm"}, sample


def series(families):
    # Workers' time goes on between the two; OpenMetrics has no count without a sum.
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_seconds_count")
    }


assert series(families) == series(others), series(families) ^ series(others)
for family in families:
    for sample in family.samples:
        print(json.dumps({"name": sample.name, "value": sample.value, **sample.labels}))
