"""What a workflow may use: the actions, and samples of the tables it will read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pilot import plugins
from pilot.engine.language.effects_rule import EffectsRule
from pilot.plugins import Action
from pilot.plugins.tables.sampling import Column, TableSample

__all__ = ["Action", "Catalogue", "Column", "TableSample", "load"]


@dataclass(frozen=True)
class Catalogue:
    """All actions by name, the sampled tables, and what the agent was granted."""

    actions: Mapping[str, Action]
    samples: Mapping[tuple[str, str], TableSample] = field(default_factory=dict)
    granted: frozenset[str] | None = None  # None: every action
    connections: Mapping[str, Mapping[str, str]] | None = None  # see `connections.labels`
    effects_rule: EffectsRule = field(default_factory=EffectsRule)  # of the installation

    def is_granted(self, name: str) -> bool:
        """Say whether the agent may call this action."""
        return self.granted is None or name in self.granted

    def nearest(self, name: str, count: int = 3) -> list[str]:
        """Return the `count` action names that take the fewest edits from `name`."""
        wanted = name[:60].lower()  # no action has a longer one
        return sorted(self.actions, key=lambda known: (_edits(wanted, known), known))[:count]

    def with_samples(self, samples: Iterable[TableSample]) -> "Catalogue":
        """Return the same catalogue with these samples, as `tables.sampling.sample` gives them."""
        return replace(self, samples={(one.table, one.tab): one for one in samples})

    def with_connections(self, labels: Mapping[str, Mapping[str, str]]) -> "Catalogue":
        """Return the same catalogue for an owner with these connections."""
        return replace(self, connections=labels)

    def with_grants(self, granted: Iterable[str] | None) -> "Catalogue":
        """Return the same catalogue for an agent that may call these actions; None: all."""
        return replace(self, granted=None if granted is None else frozenset(granted))

    def with_effects_rule(self, rule: EffectsRule) -> "Catalogue":
        """Return the same catalogue where this decides which effects need an approval."""
        return replace(self, effects_rule=rule)


def load() -> Catalogue:
    """Return the catalogue of all plugins, without samples."""
    loaded = (plugins.load(name) for name in plugins.names())
    actions = {action.name: action for plugin in loaded for action in plugin.actions.values()}
    return Catalogue(dict(sorted(actions.items())))


def _edits(left: str, right: str) -> int:
    """Levenshtein distance by the two-row method of Wagner and Fischer."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        last, row = row, [i]
        for j, b in enumerate(right, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (a != b)))
    return row[-1]
