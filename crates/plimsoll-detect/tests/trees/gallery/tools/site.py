import os

import redis
from flask import Blueprint, Flask

cache = redis.Redis(host="localhost", port=6379)
health = Blueprint("health", __name__, url_prefix="/ops")


@health.route("/healthz")
def healthz():
    return "ok"


def create_app():
    app = Flask(__name__)
    app.secret_key = os.environ["SECRET_KEY"]
    app.register_blueprint(health)
    return app
