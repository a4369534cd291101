"""Waiting for a condition with a deadline, and saying what was missing when it passes."""
import time


def until(condition, timeout=15, pause=0.02, what=None):
    """Calls `condition` until it returns something true and returns that. Exceptions count as not
    yet; the last one, or the last value, is told when the time is over."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except AssertionError as error:
            last = error
        except Exception as error:  # a server that is away is "not yet"
            last = error
        if time.monotonic() > deadline:
            name = what or getattr(condition, "__doc__", None) or "condition"
            raise AssertionError(f"not within {timeout} s: {name}; last: {last!r}")
        time.sleep(pause)
