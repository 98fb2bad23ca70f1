"""The index in memory: all cells, moved on by each tip, and the same as if read anew."""

from __future__ import annotations

import pytest

from fakes import FakeRepository
from gitops.actions.index.state import IndexState, read_state
from gitops.core.hold import HOLD_ALL_PATH, Hold, hold_path, render_hold
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.parts import ledger_path
from gitops.core.ledger.records import Record, render_record
from gitops.errors import NotFound
from index_stories import NOON, Story, session_of

CONFIG = b"""apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/dev"}
  - {name: prod, overlay: "apps/{app}/prod", change: pull-request}
"""


def content(tag: str) -> bytes:
    """A kustomization with one image."""
    return f'images:\n  - {{name: shop/api, newTag: "{tag}"}}\n'.encode()


@pytest.fixture
def repository() -> FakeRepository:
    """Two apps in two environments."""
    files = {
        f"apps/{app}/{name}/kustomization.yaml": content("1.0")
        for app in ("api", "web")
        for name in ("dev", "prod")
    }
    return FakeRepository({"gitops.yaml": CONFIG, **files})


def read(repository: FakeRepository, earlier: IndexState | None = None) -> IndexState:
    """One call."""
    return read_state(session_of(repository, None), earlier)


def test_a_cell_has_all_that_is_known(repository: FakeRepository) -> None:
    """Images, who, when and what, verdicts, hold and proposal, without a forge."""
    base = repository.branches["main"]
    repository.commit(
        {"apps/api/prod/kustomization.yaml": content("2.0")},
        "api/prod: 2.0\n\nGitops-Action: promote\nGitops-Environment: api/prod\n",
        branch="gitops/api/prod",
        parents=(base,),
    )
    repository.commit({hold_path("dev", "web"): render_hold(Hold("Bo", NOON, "INC-1"))})
    word = render_record(Record(base, "qa-passed", NOON, "Ana"))
    repository.commit({ledger_path("dev", "api"): word}, branch="gitops/ledger", parents=())
    state = read(repository)
    assert list(state.cells) == ["api/dev", "web/dev", "api/prod", "web/prod"]
    assert state.changed == set(state.cells)
    api = state.cells["api/dev"]
    assert api.images == {"shop/api": ImageValue(tag="1.0")}
    assert api.release is not None
    assert (api.release.commit, api.release.author.name) == (base, "Ana")
    assert [(word.verdict, word.by) for word in api.words] == [("qa-passed", "Ana")]
    hold = state.cells["web/dev"].hold
    assert hold is not None
    assert hold.reason == "INC-1"
    proposal = state.cells["api/prod"].proposal
    assert proposal is not None
    assert (proposal.branch, proposal.by, proposal.state) == ("gitops/api/prod", "Ana", "open")
    assert state.cells["web/prod"].proposal is None
    assert state.commit == repository.branches["main"]


def test_where_nothing_moved_it_is_the_same_state(repository: FakeRepository) -> None:
    """A poll that finds nothing new costs nothing, and says so."""
    state = read(repository)
    assert read(repository, state) is state


@pytest.mark.parametrize("wide", [False, True])
def test_one_deploy_changes_one_cell(repository: FakeRepository, *, wide: bool) -> None:
    """The other cells are the very same values; a hold of everything changes all."""
    state = read(repository)
    files = {"apps/web/dev/kustomization.yaml": content("1.1")}
    if wide:
        files = {HOLD_ALL_PATH: render_hold(Hold("Bo", NOON, "INC-2"))}
    repository.commit(files)
    newer = read(repository, state)
    assert newer.changed == (set(state.cells) if wide else {"web/dev"})
    for name in state.cells.keys() - newer.changed:
        assert newer.cells[name] is state.cells[name]


def test_what_is_gone_is_told(repository: FakeRepository) -> None:
    """An app that went, a proposal that was merged, a branch of an environment that is missing."""
    base = repository.branches["main"]
    proposed = {"apps/api/prod/kustomization.yaml": content("2.0")}
    repository.commit(proposed, branch="gitops/api/prod", parents=(base,))
    state = read(repository)
    assert state.cells["api/prod"].proposal is not None
    repository.commit({"apps/web/dev/kustomization.yaml": None, **proposed})
    newer = read(repository, state)
    assert newer.changed == {"web/dev", "api/prod"}
    assert newer.cells["api/prod"].proposal is None
    own = CONFIG.replace(b"change: pull-request", b"branch: nowhere")
    repository.commit({"gitops.yaml": own})
    assert "nowhere" in (read(repository, newer).cells["prod"].problem or "")


def test_without_a_branch_it_says_no() -> None:
    """An empty repository has no index."""
    with pytest.raises(NotFound):
        read(FakeRepository())


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(1, 13))
def test_moved_on_it_is_what_a_new_reading_is(seed: int) -> None:
    """Whatever happens to the repository: the state in memory equals one read from nothing."""
    story = Story(seed)
    state = read(story.repository)
    for _ in range(10):
        for _ in range(story.draw.choice([0, 1, 1, 2, 5])):
            story.draw.choice(story.steps)()
        fresh, old = read(story.repository), state
        state = read(story.repository, old)
        assert state.cells == fresh.cells
        assert state.tips == fresh.tips
        if state is not old:
            names = state.cells.keys() | old.cells.keys()
            assert state.changed == {
                one for one in names if state.cells.get(one) != old.cells.get(one)
            }
