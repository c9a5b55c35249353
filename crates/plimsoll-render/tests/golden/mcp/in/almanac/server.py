"""The server: one client over standard input and output."""

import os

from mcp.server.fastmcp import FastMCP

from almanac.days import days_between

server = FastMCP("almanac", log_level=os.getenv("LOG_LEVEL", "WARNING"))


@server.tool()
def between(first: str, last: str) -> int:
    """Days from one date to another."""
    return days_between(first, last)


def main() -> None:
    server.run(transport="stdio")


if __name__ == "__main__":
    main()
