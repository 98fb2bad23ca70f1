"""The people of the story; whoever looks at the demo is one of them."""

from __future__ import annotations

from gitops.server.identity.person import Person

PEOPLE = (
    Person("user:ana@example.com", "Ana", "ana@example.com", ("shop:oncall",)),
    Person("user:ben@example.com", "Ben", "ben@example.com", ("shop:leads",)),
    Person("user:cara@example.com", "Cara", "cara@example.com", ("shop:qa",)),
)
"""On call, lead, QA; the first of them to begin with."""

ANA, BEN, CARA = PEOPLE
CI = Person("job:shop-ci", "shop CI", "ci@example.com", via="job")
WATCHER = Person("job:watch", "gitops watch", "watch@example.com", via="job")
EVERYBODY = Person("user:dan@example.com", "Dan", "dan@example.com")
