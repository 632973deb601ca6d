#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Prints C that compiles if a specification and its uapi header agree.

ynl-names.py DIRECTORY-OF-YNL SPECIFICATION SCHEMA
"""
import sys

sys.path.append(sys.argv[1])
from lib import SpecFamily  # noqa: E402

family = SpecFamily(sys.argv[2], sys.argv[3])


def equal(name, value):
    name = name.upper().replace("-", "_")
    print(f'_Static_assert({name} == {value}, "{name}");')


print(f'#include <{family.yaml["uapi-header"]}>')
print(f'_Static_assert(sizeof(VHOST_FAMILY_NAME) == sizeof("{family.name}"), "name");')
for name, const in family.consts.items():
    if isinstance(const, dict):
        equal(f"vhost-{name}", const["value"])
        continue
    for entry in const.entries.values():
        equal(f"vhost-{name}-{entry.name}", entry.value)
for name, attrs in family.attr_sets.items():
    for attr in attrs.attrs.values():
        equal(f"vhost-a-{name}-{attr.name}", attr.value)
    equal(f"vhost-a-{name}-max", max(a.value for a in attrs.attrs.values()))
for name, op in family.msgs.items():
    equal(f"vhost-cmd-{name}", op.rsp_value if op.rsp_value is not None else op.req_value)
equal("vhost-cmd-max", max(op.rsp_value or op.req_value for op in family.msgs.values()))
for group in family.mcast_groups:
    print(f'_Static_assert(sizeof(VHOST_MCGRP_{group.upper()}) == sizeof("{group}"), "group");')
