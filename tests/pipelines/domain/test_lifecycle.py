"""Which moves an Operation and its steps may make: walked at random, from every state."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.lifecycle import (
    CLOSED,
    FINAL,
    OPEN,
    OPERATION_MOVES,
    STEP_MOVES,
    NotAllowed,
    OperationState,
    StepState,
    check_operation_move,
    check_step_move,
    next_to_do,
    next_to_undo,
)

STATES = st.lists(st.sampled_from(list(StepState)), max_size=12)


def walks(moves):
    """A state and the states reached from it, one allowed move after another."""
    starts = st.sampled_from(list(moves))
    return starts.flatmap(
        lambda start: st.lists(st.randoms(use_true_random=False), max_size=10).map(lambda r: (start, r))
    )


def walk(moves, start, choices):
    path = [start]
    for choice in choices:
        onward = sorted(moves[path[-1]])
        if not onward:
            break
        path.append(choice.choice(onward))
    return path


def test_every_state_is_in_the_tables():
    assert set(OPERATION_MOVES) == set(OperationState)
    assert set(STEP_MOVES) == set(StepState)
    assert set(OperationState) == OPEN | CLOSED
    assert not OPEN & CLOSED


@given(walks(OPERATION_MOVES))
def test_a_closed_operation_never_opens_again(walked):
    path = walk(OPERATION_MOVES, *walked)
    closed = [index for index, state in enumerate(path) if state in CLOSED]
    assert all(index == len(path) - 1 for index in closed)


@given(walks(OPERATION_MOVES))
def test_an_operation_that_goes_back_never_ends_as_done_unless_it_was_stopped_in_between(walked):
    path = walk(OPERATION_MOVES, *walked)
    for before, then in pairwise(path):
        if then is OperationState.DONE:
            assert before is OperationState.RUNNING
        if then is OperationState.UNDONE:
            assert before in {OperationState.UNDOING, OperationState.PLANNED, OperationState.AWAITING_APPROVAL}


@given(walks(OPERATION_MOVES))
def test_nothing_runs_that_nobody_began(walked):
    path = walk(OPERATION_MOVES, *walked)
    for before, then in pairwise(path):
        if then is OperationState.UNDOING:
            assert before in {OperationState.RUNNING, OperationState.PAUSED, OperationState.STUCK}


@given(walks(STEP_MOVES))
def test_a_step_is_started_before_it_is_done_and_done_before_it_is_undone(walked):
    path = walk(STEP_MOVES, *walked)
    for before, then in pairwise(path):
        if then in {StepState.DONE, StepState.FAILED}:
            assert before is StepState.STARTED
        if then is StepState.UNDONE:
            assert before in {StepState.DONE, StepState.FAILED}


@given(st.sampled_from(list(OperationState)), st.sampled_from(list(OperationState)))
def test_an_operation_moves_only_as_the_table_says(now, then):
    if then in OPERATION_MOVES[now]:
        check_operation_move(now, then)
    else:
        with pytest.raises(NotAllowed, match=now.value):
            check_operation_move(now, then)


@given(st.sampled_from(list(StepState)), st.sampled_from(list(StepState)))
def test_a_step_moves_only_as_the_table_says(now, then):
    if then in STEP_MOVES[now]:
        check_step_move(now, then)
    else:
        with pytest.raises(NotAllowed, match=now.value):
            check_step_move(now, then)


@given(STATES)
def test_what_comes_next_is_the_first_that_has_not_ended(states):
    index = next_to_do(states)
    if index is None:
        assert all(state in FINAL for state in states)
    else:
        assert states[index] not in FINAL
        assert all(state in FINAL for state in states[:index])


@given(STATES)
def test_what_is_undone_next_is_the_last_that_may_have_left_something(states):
    index = next_to_undo(states)
    left = {StepState.DONE, StepState.FAILED}
    if index is None:
        assert not left & set(states)
    else:
        assert states[index] in left
        assert not left & set(states[index + 1 :])


@given(STATES)
def test_going_on_ends_and_going_back_ends(states):
    forward = list(states)
    while (index := next_to_do(forward)) is not None:
        forward[index] = StepState.DONE
    back = [state for state in states if state is not StepState.STARTED]
    turns = 0
    while (index := next_to_undo(back)) is not None:
        back[index], turns = StepState.UNDONE, turns + 1
    assert turns <= len(states)
