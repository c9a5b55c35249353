from desk.settings import settings

if __name__ == "__main__":
    print(settings.database_url)
