from service.service import app
