import os

from fastmcp import FastMCP

mcp = FastMCP("ledger")


@mcp.tool
def status() -> str:
    from git import Repo

    return str(Repo(os.environ.get("LEDGER_REPOSITORY", ".")).head)


def main():
    mcp.run()
