from desk.routes.health import router as health
