"""Where the live side asks the database: a few threads of its own, so that neither pages nor the loop wait for it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_executor = ThreadPoolExecutor(max_workers=6, thread_name_prefix="live-db")


async def in_thread(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run a database function on one of the threads; its connection is given back afterwards."""
    run = database_sync_to_async(function, thread_sensitive=False, executor=_executor)
    return cast("Result", await run(*args, **kwargs))
