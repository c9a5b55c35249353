from harbour_gateway._application import *  # noqa: F403
from harbour_gateway._application import app

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="0.0.0.0", port=9100)
