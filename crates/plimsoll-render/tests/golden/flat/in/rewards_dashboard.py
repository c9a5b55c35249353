"""Shows rewards."""

from flask import Flask

from shared import count

app = Flask(__name__)


@app.route("/health")
def health():
    return {"status": "ok"}


@app.route("/")
def page():
    return f"<h1>rewards_dashboard</h1><p>{count('rewards_dashboard')} visits</p>"


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8502)
