"""Asks a running platform whether it is ready."""

import http.client
import json

from .ports import LOOPBACK


def unready(port: int) -> list[str]:
    """What /readyz on 127.0.0.1:`port` is missing, a line each; empty when all is well."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        body = connection.getresponse().read()
        checks = json.loads(body)["checks"]
    except (OSError, http.client.HTTPException):
        return ["web: it does not answer yet"]
    except (ValueError, KeyError):
        return ["web: it answers with an error"]
    finally:
        connection.close()
    return [f"{name}: {outcome['detail']}" for name, outcome in checks.items() if not outcome["ok"]]
