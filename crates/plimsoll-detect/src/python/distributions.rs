//! Which distribution gives which module, as far as it is known for sure.

use std::collections::BTreeSet;

/// A distribution's name as package indexes compare them.
pub(crate) fn normalize(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut dash = false;
    for character in name.trim().chars() {
        if matches!(character, '-' | '_' | '.') {
            dash = !text.is_empty();
        } else {
            if dash {
                text.push('-');
                dash = false;
            }
            text.extend(character.to_lowercase());
        }
    }
    text
}

/// The distribution that gives a module, by the longest known part of its dotted name.
pub(crate) fn distribution_of(module: &str) -> Option<&'static str> {
    let mut name = module;
    loop {
        if let Ok(index) = MODULES.binary_search_by(|(known, _)| known.cmp(&name)) {
            return Some(MODULES[index].1);
        }
        name = name.rsplit_once('.')?.0;
    }
}

/// The declared distribution that gives a module, if any does.
pub(crate) fn provider<'a>(module: &str, declared: &'a BTreeSet<String>) -> Option<&'a str> {
    let top = module.split('.').next().unwrap_or(module);
    let known = distribution_of(module);
    let find = |name: &str| declared.get(name).map(String::as_str);
    known
        .and_then(find)
        .or_else(|| find(&normalize(top)))
        .or_else(|| find(&normalize(module)))
        .or_else(|| {
            ALSO.iter()
                .filter(|(_, modules)| modules.contains(&top))
                .find_map(|(distribution, _)| find(distribution))
        })
        // A family of distributions shares one name space: `google`, `azure`, `opentelemetry`.
        .or_else(|| {
            let family = format!("{}-", normalize(top));
            let parts = normalize(&module.replace('.', "-"));
            declared
                .iter()
                .map(String::as_str)
                .filter(|name| name.starts_with(&family))
                .find(|name| parts.starts_with(*name) || NAME_SPACES.contains(&top))
        })
        // What is not known may still tell by its name: `chatkit` comes with `openai-chatkit`.
        .or_else(|| {
            let word = normalize(top);
            let hidden = known.is_none() && word.len() > 3;
            declared
                .iter()
                .map(String::as_str)
                .filter(|_| hidden)
                .find(|name| {
                    name.split('-').any(|part| part == word) || name.ends_with(&format!("-{word}"))
                })
        })
}

/// Name spaces that many distributions fill.
const NAME_SPACES: &[&str] = &[
    "azure",
    "google",
    "opentelemetry",
    "zope",
    "langgraph",
    "llama_index",
];

/// What a distribution gives besides the module of its own name: other modules, and modules of
/// distributions it cannot be without.
#[rustfmt::skip]
const ALSO: &[(&str, &[&str])] = &[
    ("psycopg2", &["psycopg2"]),
    ("opencv-python", &["cv2"]),
    ("opencv-contrib-python", &["cv2"]),
    ("opencv-python-headless", &["cv2"]),
    ("python-jose", &["jose"]),
    ("faiss-gpu", &["faiss"]),
    ("psycopg-binary", &["psycopg"]),
    ("django-ninja", &["ninja", "pydantic"]),
    ("fastapi", &["starlette", "pydantic", "pydantic_core", "typing_extensions", "anyio"]),
    ("fastapi-slim", &["fastapi", "starlette", "pydantic"]),
    ("starlette", &["anyio"]),
    ("fastmcp", &["mcp", "httpx", "pydantic", "starlette", "uvicorn", "anyio", "rich", "typing_extensions"]),
    ("mcp", &["anyio", "httpx", "pydantic", "starlette", "uvicorn", "pydantic_settings", "sse_starlette"]),
    ("pydantic", &["pydantic_core", "typing_extensions", "annotated_types"]),
    ("pydantic-settings", &["pydantic", "dotenv", "typing_extensions"]),
    ("celery", &["kombu", "billiard", "vine", "click"]),
    ("flask", &["werkzeug", "jinja2", "click", "itsdangerous", "blinker", "markupsafe"]),
    ("flask-sqlalchemy", &["sqlalchemy", "flask"]),
    ("django", &["asgiref", "sqlparse"]),
    ("djangorestframework", &["django"]),
    ("httpx", &["anyio", "certifi", "httpcore", "idna", "sniffio"]),
    ("requests", &["urllib3", "certifi", "idna", "charset_normalizer"]),
    ("sqlalchemy", &["typing_extensions"]),
    ("sqlmodel", &["sqlalchemy", "pydantic"]),
    ("alembic", &["sqlalchemy", "mako"]),
    ("motor", &["pymongo", "bson"]),
    ("pandas", &["numpy", "dateutil", "pytz"]),
    ("scipy", &["numpy"]),
    ("scikit-learn", &["numpy", "scipy", "joblib"]),
    ("matplotlib", &["numpy", "PIL", "dateutil", "packaging"]),
    ("torch", &["numpy", "typing_extensions", "networkx", "sympy", "jinja2", "filelock"]),
    ("transformers", &["numpy", "requests", "yaml", "tqdm", "huggingface_hub", "regex", "tokenizers"]),
    ("sentence-transformers", &["transformers", "torch", "numpy", "sklearn", "scipy", "huggingface_hub", "PIL"]),
    ("openai", &["httpx", "pydantic", "anyio", "typing_extensions", "tqdm", "jiter"]),
    ("anthropic", &["httpx", "pydantic", "anyio", "typing_extensions", "jiter"]),
    ("langchain", &["langchain_core", "langchain_text_splitters", "langsmith", "pydantic", "yaml", "requests", "sqlalchemy", "langgraph"]),
    ("langchain-core", &["langsmith", "pydantic", "yaml", "tenacity", "packaging"]),
    ("langchain-openai", &["langchain_core", "openai", "tiktoken"]),
    ("langchain-anthropic", &["langchain_core", "anthropic"]),
    ("langchain-community", &["langchain_core", "langchain", "numpy", "requests", "sqlalchemy", "aiohttp", "langsmith"]),
    ("langgraph", &["langchain_core", "langgraph_sdk", "pydantic"]),
    ("litellm", &["openai", "httpx", "tiktoken", "tokenizers", "pydantic", "click", "jinja2", "aiohttp"]),
    ("crewai", &["pydantic", "litellm", "openai", "click"]),
    ("streamlit", &["pandas", "numpy", "PIL", "requests", "altair", "pyarrow", "tornado", "toml", "packaging", "tenacity"]),
    ("gradio", &["fastapi", "starlette", "uvicorn", "pydantic", "numpy", "pandas", "PIL", "httpx", "huggingface_hub", "jinja2", "yaml"]),
    ("boto3", &["botocore", "dateutil", "urllib3"]),
    ("aiohttp", &["yarl", "multidict", "attr", "frozenlist", "aiosignal"]),
    ("uvicorn", &["click", "h11"]),
    ("typer", &["click", "rich"]),
    ("rich", &["pygments", "markdown_it"]),
    ("jinja2", &["markupsafe"]),
    ("gitpython", &["gitdb"]),
    ("rq", &["redis", "click"]),
    ("arq", &["redis", "click"]),
    ("python-dotenv", &["dotenv"]),
    ("sse-starlette", &["starlette", "anyio"]),
    ("prometheus-fastapi-instrumentator", &["prometheus_client", "starlette"]),
    ("opentelemetry-sdk", &["opentelemetry"]),
    ("opentelemetry-api", &["opentelemetry"]),
    ("a2a-sdk", &["httpx", "pydantic", "starlette"]),
    ("google-adk", &["fastapi", "uvicorn", "pydantic", "click", "google", "starlette"]),
];

/// Modules and their distributions, sorted by module.
#[rustfmt::skip]
const MODULES: &[(&str, &str)] = &[
    ("Crypto", "pycryptodome"), ("Levenshtein", "levenshtein"), ("MySQLdb", "mysqlclient"), ("OpenSSL", "pyopenssl"),
    ("PIL", "pillow"), ("PyPDF2", "pypdf2"), ("RestrictedPython", "restrictedpython"), ("Xlib", "python-xlib"),
    ("a2a", "a2a-sdk"), ("accelerate", "accelerate"), ("agentops", "agentops"), ("agents", "openai-agents"),
    ("aio_pika", "aio-pika"), ("aioboto3", "aioboto3"), ("aiocache", "aiocache"), ("aiofiles", "aiofiles"),
    ("aiohttp", "aiohttp"), ("aiokafka", "aiokafka"), ("aiolimiter", "aiolimiter"), ("aiomysql", "aiomysql"),
    ("aiopg", "aiopg"), ("aioredis", "aioredis"), ("aiosmtplib", "aiosmtplib"), ("aiosqlite", "aiosqlite"),
    ("alembic", "alembic"), ("ansible", "ansible"), ("anthropic", "anthropic"), ("anyio", "anyio"),
    ("apscheduler", "apscheduler"), ("arq", "arq"), ("arrow", "arrow"),
    ("asgi_correlation_id", "asgi-correlation-id"), ("asgiref", "asgiref"), ("async_timeout", "async-timeout"),
    ("asyncio_mqtt", "asyncio-mqtt"), ("asyncpg", "asyncpg"), ("asyncssh", "asyncssh"), ("asyncua", "asyncua"),
    ("attr", "attrs"), ("attrs", "attrs"), ("authlib", "authlib"), ("autogen", "pyautogen"),
    ("autogen_agentchat", "autogen-agentchat"), ("autogen_core", "autogen-core"), ("autogen_ext", "autogen-ext"),
    ("azure.cosmos", "azure-cosmos"), ("azure.identity", "azure-identity"),
    ("azure.keyvault.secrets", "azure-keyvault-secrets"), ("azure.storage.blob", "azure-storage-blob"),
    ("babel", "babel"), ("backoff", "backoff"), ("bcrypt", "bcrypt"), ("billiard", "billiard"),
    ("bitsandbytes", "bitsandbytes"), ("bleach", "bleach"), ("bleak", "bleak"), ("blinker", "blinker"),
    ("boltons", "boltons"), ("boto3", "boto3"), ("botocore", "botocore"), ("bottle", "bottle"),
    ("braket", "amazon-braket-sdk"), ("browser_use", "browser-use"), ("bs4", "beautifulsoup4"), ("bson", "pymongo"),
    ("cachetools", "cachetools"), ("camelot", "camelot-py"), ("cassandra", "cassandra-driver"),
    ("catboost", "catboost"), ("cattrs", "cattrs"), ("celery", "celery"), ("certifi", "certifi"), ("cffi", "cffi"),
    ("chainlit", "chainlit"), ("channels", "channels"), ("chardet", "chardet"),
    ("charset_normalizer", "charset-normalizer"), ("cherrypy", "cherrypy"), ("chromadb", "chromadb"),
    ("circuitbreaker", "circuitbreaker"), ("cirq", "cirq-core"), ("click", "click"),
    ("clickhouse_connect", "clickhouse-connect"), ("clickhouse_driver", "clickhouse-driver"),
    ("cloudpickle", "cloudpickle"), ("cohere", "cohere"), ("colorama", "colorama"), ("coloredlogs", "coloredlogs"),
    ("community", "python-louvain"), ("confluent_kafka", "confluent-kafka"), ("consul", "python-consul"),
    ("cookiecutter", "cookiecutter"), ("corsheaders", "django-cors-headers"), ("crewai", "crewai"),
    ("crewai_tools", "crewai-tools"), ("croniter", "croniter"), ("cryptography", "cryptography"),
    ("cssselect", "cssselect"), ("ctransformers", "ctransformers"), ("cv2", "opencv-python-headless"),
    ("daphne", "daphne"), ("dash", "dash"), ("dash_bootstrap_components", "dash-bootstrap-components"),
    ("dashscope", "dashscope"), ("dask", "dask"), ("databases", "databases"), ("datasets", "datasets"),
    ("dateutil", "python-dateutil"), ("ddgs", "ddgs"), ("decouple", "python-decouple"), ("deepagents", "deepagents"),
    ("deepdiff", "deepdiff"), ("deepeval", "deepeval"), ("diffusers", "diffusers"), ("discord", "discord-py"),
    ("diskcache", "diskcache"), ("distro", "distro"), ("dj_database_url", "dj-database-url"), ("django", "django"),
    ("django_celery_beat", "django-celery-beat"), ("django_filters", "django-filter"), ("dns", "dnspython"),
    ("docker", "docker"), ("docling", "docling"), ("docx", "python-docx"), ("dotenv", "python-dotenv"),
    ("dpkt", "dpkt"), ("dramatiq", "dramatiq"), ("drf_spectacular", "drf-spectacular"), ("dspy", "dspy"),
    ("duckdb", "duckdb"), ("duckduckgo_search", "duckduckgo-search"), ("dynaconf", "dynaconf"),
    ("e2b_code_interpreter", "e2b-code-interpreter"), ("ebooklib", "ebooklib"), ("elasticsearch", "elasticsearch"),
    ("email_validator", "email-validator"), ("emails", "emails"), ("engineio", "python-engineio"),
    ("environ", "django-environ"), ("esprima", "esprima"), ("etcd3", "etcd3"), ("evaluate", "evaluate"),
    ("exa_py", "exa-py"), ("fabric", "fabric"), ("factory", "factory-boy"), ("faiss", "faiss-cpu"),
    ("faker", "faker"), ("falcon", "falcon"), ("falkordb", "falkordb"), ("fastapi", "fastapi"),
    ("fastapi_cache", "fastapi-cache2"), ("fastapi_limiter", "fastapi-limiter"), ("fastapi_mcp", "fastapi-mcp"),
    ("fastapi_users", "fastapi-users"), ("fastavro", "fastavro"), ("faster_whisper", "faster-whisper"),
    ("fastmcp", "fastmcp"), ("feedparser", "feedparser"), ("ffmpeg", "ffmpeg-python"), ("filelock", "filelock"),
    ("fiona", "fiona"), ("firecrawl", "firecrawl-py"), ("fireworks_ai", "fireworks-ai"), ("fitz", "pymupdf"),
    ("flask", "flask"), ("flask_bcrypt", "flask-bcrypt"), ("flask_caching", "flask-caching"),
    ("flask_cors", "flask-cors"), ("flask_jwt_extended", "flask-jwt-extended"), ("flask_limiter", "flask-limiter"),
    ("flask_login", "flask-login"), ("flask_mail", "flask-mail"), ("flask_migrate", "flask-migrate"),
    ("flask_restful", "flask-restful"), ("flask_restx", "flask-restx"), ("flask_session", "flask-session"),
    ("flask_socketio", "flask-socketio"), ("flask_sqlalchemy", "flask-sqlalchemy"), ("flask_wtf", "flask-wtf"),
    ("flower", "flower"), ("folium", "folium"), ("freezegun", "freezegun"), ("frozenlist", "frozenlist"),
    ("fsspec", "fsspec"), ("fuzzywuzzy", "fuzzywuzzy"), ("geopandas", "geopandas"), ("geopy", "geopy"),
    ("gevent", "gevent"), ("gi", "pygobject"), ("git", "gitpython"), ("github", "pygithub"),
    ("gitlab", "python-gitlab"), ("google.adk", "google-adk"), ("google.auth", "google-auth"),
    ("google.cloud.aiplatform", "google-cloud-aiplatform"), ("google.cloud.bigquery", "google-cloud-bigquery"),
    ("google.cloud.firestore", "google-cloud-firestore"), ("google.cloud.pubsub", "google-cloud-pubsub"),
    ("google.cloud.pubsub_v1", "google-cloud-pubsub"), ("google.cloud.secretmanager", "google-cloud-secret-manager"),
    ("google.cloud.storage", "google-cloud-storage"), ("google.genai", "google-genai"),
    ("google.generativeai", "google-generativeai"), ("google.oauth2", "google-auth"), ("google.protobuf", "protobuf"),
    ("google_auth_oauthlib", "google-auth-oauthlib"), ("googleapiclient", "google-api-python-client"),
    ("gradio", "gradio"), ("granian", "granian"), ("graphviz", "graphviz"), ("greenlet", "greenlet"),
    ("gridfs", "pymongo"), ("groq", "groq"), ("grpc", "grpcio"), ("grpc_health", "grpcio-health-checking"),
    ("grpc_reflection", "grpcio-reflection"), ("grpc_status", "grpcio-status"), ("guardrails", "guardrails-ai"),
    ("gunicorn", "gunicorn"), ("gym", "gym"), ("gymnasium", "gymnasium"), ("h11", "h11"), ("h2", "h2"),
    ("haystack", "haystack-ai"), ("hdbscan", "hdbscan"), ("hiredis", "hiredis"), ("holidays", "holidays"),
    ("html2text", "html2text"), ("html5lib", "html5lib"), ("httpcore", "httpcore"), ("httplib2", "httplib2"),
    ("httptools", "httptools"), ("httpx", "httpx"), ("huey", "huey"), ("huggingface_hub", "huggingface-hub"),
    ("humanize", "humanize"), ("hvac", "hvac"), ("hypercorn", "hypercorn"), ("hypothesis", "hypothesis"),
    ("icalendar", "icalendar"), ("idna", "idna"), ("igraph", "igraph"), ("imageio", "imageio"),
    ("imapclient", "imapclient"), ("importlib_metadata", "importlib-metadata"), ("influxdb", "influxdb"),
    ("influxdb_client", "influxdb-client"), ("instructor", "instructor"), ("isort", "isort"),
    ("itsdangerous", "itsdangerous"), ("jax", "jax"), ("jinja2", "jinja2"), ("jiter", "jiter"), ("joblib", "joblib"),
    ("jose", "python-jose"), ("json_repair", "json-repair"), ("jsonpatch", "jsonpatch"),
    ("jsonpath_ng", "jsonpath-ng"), ("jsonschema", "jsonschema"), ("jwt", "pyjwt"), ("kafka", "kafka-python"),
    ("keras", "keras"), ("kombu", "kombu"), ("kubernetes", "kubernetes"), ("langchain", "langchain"),
    ("langchain_anthropic", "langchain-anthropic"), ("langchain_aws", "langchain-aws"),
    ("langchain_chroma", "langchain-chroma"), ("langchain_community", "langchain-community"),
    ("langchain_core", "langchain-core"), ("langchain_experimental", "langchain-experimental"),
    ("langchain_google_genai", "langchain-google-genai"), ("langchain_groq", "langchain-groq"),
    ("langchain_huggingface", "langchain-huggingface"), ("langchain_mcp_adapters", "langchain-mcp-adapters"),
    ("langchain_ollama", "langchain-ollama"), ("langchain_openai", "langchain-openai"),
    ("langchain_postgres", "langchain-postgres"), ("langchain_text_splitters", "langchain-text-splitters"),
    ("langdetect", "langdetect"), ("langfuse", "langfuse"), ("langgraph", "langgraph"),
    ("langgraph.checkpoint.postgres", "langgraph-checkpoint-postgres"),
    ("langgraph.checkpoint.redis", "langgraph-checkpoint-redis"),
    ("langgraph.checkpoint.sqlite", "langgraph-checkpoint-sqlite"), ("langgraph_sdk", "langgraph-sdk"),
    ("langsmith", "langsmith"), ("lark", "lark"), ("ldap", "python-ldap"), ("ldap3", "ldap3"), ("librosa", "librosa"),
    ("lightgbm", "lightgbm"), ("limits", "limits"), ("litellm", "litellm"), ("litestar", "litestar"),
    ("llama_cpp", "llama-cpp-python"), ("llama_index", "llama-index"), ("locust", "locust"), ("logfire", "logfire"),
    ("loguru", "loguru"), ("lxml", "lxml"), ("magic", "python-magic"), ("mako", "mako"), ("mammoth", "mammoth"),
    ("mangum", "mangum"), ("markdown", "markdown"), ("markdown_it", "markdown-it-py"), ("markdownify", "markdownify"),
    ("markitdown", "markitdown"), ("markupsafe", "markupsafe"), ("marshmallow", "marshmallow"),
    ("matplotlib", "matplotlib"), ("mcp", "mcp"), ("mem0", "mem0ai"), ("memcache", "python-memcached"),
    ("mini_racer", "mini-racer"), ("minio", "minio"), ("mistralai", "mistralai"), ("mlflow", "mlflow"),
    ("more_itertools", "more-itertools"), ("motor", "motor"), ("moviepy", "moviepy"), ("mpl_toolkits", "matplotlib"),
    ("msal", "msal"), ("msgpack", "msgpack"), ("msgspec", "msgspec"), ("multidict", "multidict"),
    ("multipart", "python-multipart"), ("mypy", "mypy"), ("nacl", "pynacl"), ("napalm", "napalm"),
    ("nats", "nats-py"), ("ncclient", "ncclient"), ("nemoguardrails", "nemoguardrails"), ("neo4j", "neo4j"),
    ("nest_asyncio", "nest-asyncio"), ("netaddr", "netaddr"), ("netmiko", "netmiko"), ("networkx", "networkx"),
    ("newrelic", "newrelic"), ("newspaper", "newspaper3k"), ("nh3", "nh3"), ("ninja", "django-ninja"),
    ("nltk", "nltk"), ("nmap", "python-nmap"), ("numba", "numba"), ("numpy", "numpy"), ("oauthlib", "oauthlib"),
    ("ollama", "ollama"), ("onnx", "onnx"), ("onnxruntime", "onnxruntime"), ("openai", "openai"),
    ("openai_agents", "openai-agents"), ("openpyxl", "openpyxl"), ("opensearchpy", "opensearch-py"),
    ("opentelemetry", "opentelemetry-api"), ("opentelemetry.exporter.jaeger", "opentelemetry-exporter-jaeger"),
    ("opentelemetry.exporter.otlp", "opentelemetry-exporter-otlp"),
    ("opentelemetry.exporter.prometheus", "opentelemetry-exporter-prometheus"),
    ("opentelemetry.instrumentation.celery", "opentelemetry-instrumentation-celery"),
    ("opentelemetry.instrumentation.fastapi", "opentelemetry-instrumentation-fastapi"),
    ("opentelemetry.instrumentation.httpx", "opentelemetry-instrumentation-httpx"),
    ("opentelemetry.instrumentation.redis", "opentelemetry-instrumentation-redis"),
    ("opentelemetry.instrumentation.requests", "opentelemetry-instrumentation-requests"),
    ("opentelemetry.instrumentation.sqlalchemy", "opentelemetry-instrumentation-sqlalchemy"),
    ("opentelemetry.sdk", "opentelemetry-sdk"), ("opik", "opik"), ("optuna", "optuna"), ("orjson", "orjson"),
    ("osmnx", "osmnx"), ("packaging", "packaging"), ("paho", "paho-mqtt"), ("pandas", "pandas"),
    ("paramiko", "paramiko"), ("parsel", "parsel"), ("passlib", "passlib"), ("patsy", "patsy"), ("pdfkit", "pdfkit"),
    ("pdfplumber", "pdfplumber"), ("peewee", "peewee"), ("peft", "peft"), ("pendulum", "pendulum"),
    ("pennylane", "pennylane"), ("pettingzoo", "pettingzoo"), ("pexpect", "pexpect"), ("pgvector", "pgvector"),
    ("phoenix", "arize-phoenix"), ("phonenumbers", "phonenumbers"), ("pika", "pika"), ("pinecone", "pinecone"),
    ("pkg_resources", "setuptools"), ("playwright", "playwright"), ("plotly", "plotly"), ("pluggy", "pluggy"),
    ("polars", "polars"), ("portalocker", "portalocker"), ("portkey_ai", "portkey-ai"), ("posthog", "posthog"),
    ("pptx", "python-pptx"), ("prometheus_client", "prometheus-client"),
    ("prometheus_fastapi_instrumentator", "prometheus-fastapi-instrumentator"), ("promptflow", "promptflow"),
    ("psutil", "psutil"), ("psycopg", "psycopg"), ("psycopg2", "psycopg2-binary"), ("psycopg_pool", "psycopg-pool"),
    ("py_mini_racer", "py-mini-racer"), ("pyarrow", "pyarrow"), ("pyautogui", "pyautogui"),
    ("pybreaker", "pybreaker"), ("pycountry", "pycountry"), ("pycurl", "pycurl"), ("pydantic", "pydantic"),
    ("pydantic_ai", "pydantic-ai"), ("pydantic_core", "pydantic-core"), ("pydantic_settings", "pydantic-settings"),
    ("pydot", "pydot"), ("pydub", "pydub"), ("pyftpdlib", "pyftpdlib"), ("pygame", "pygame"),
    ("pygments", "pygments"), ("pyinstrument", "pyinstrument"), ("pylab", "matplotlib"), ("pymemcache", "pymemcache"),
    ("pymodbus", "pymodbus"), ("pymongo", "pymongo"), ("pympler", "pympler"), ("pymysql", "pymysql"),
    ("pynput", "pynput"), ("pynvml", "nvidia-ml-py"), ("pyodbc", "pyodbc"), ("pyotp", "pyotp"), ("pypdf", "pypdf"),
    ("pyperclip", "pyperclip"), ("pyproj", "pyproj"), ("pysnmp", "pysnmp"), ("pytesseract", "pytesseract"),
    ("pytest", "pytest"), ("python_multipart", "python-multipart"), ("pythonjsonlogger", "python-json-logger"),
    ("pyttsx3", "pyttsx3"), ("pytz", "pytz"), ("pyvis", "pyvis"), ("qdrant_client", "qdrant-client"),
    ("qiskit", "qiskit"), ("qrcode", "qrcode"), ("quart", "quart"), ("radon", "radon"), ("rapidfuzz", "rapidfuzz"),
    ("rasterio", "rasterio"), ("ratelimit", "ratelimit"), ("ray", "ray"), ("readability", "readability-lxml"),
    ("redis", "redis"), ("regex", "regex"), ("replicate", "replicate"), ("reportlab", "reportlab"),
    ("requests", "requests"), ("requests_toolbelt", "requests-toolbelt"), ("respx", "respx"),
    ("rest_framework", "djangorestframework"), ("retry", "retry"), ("retrying", "retrying"), ("rich", "rich"),
    ("rq", "rq"), ("rq_scheduler", "rq-scheduler"), ("ruamel", "ruamel-yaml"), ("ruff", "ruff"), ("s3fs", "s3fs"),
    ("sacrebleu", "sacrebleu"), ("safetensors", "safetensors"), ("sanic", "sanic"), ("scapy", "scapy"),
    ("scipy", "scipy"), ("scrapy", "scrapy"), ("seaborn", "seaborn"), ("selenium", "selenium"),
    ("semantic_kernel", "semantic-kernel"), ("sendgrid", "sendgrid"),
    ("sentence_transformers", "sentence-transformers"), ("sentencepiece", "sentencepiece"),
    ("sentry_sdk", "sentry-sdk"), ("serial", "pyserial"), ("serpapi", "google-search-results"),
    ("setuptools", "setuptools"), ("shapely", "shapely"), ("simplejson", "simplejson"), ("six", "six"),
    ("skimage", "scikit-image"), ("sklearn", "scikit-learn"), ("slack_bolt", "slack-bolt"),
    ("slack_sdk", "slack-sdk"), ("slowapi", "slowapi"), ("slugify", "python-slugify"), ("smart_open", "smart-open"),
    ("smolagents", "smolagents"), ("sniffio", "sniffio"), ("socketio", "python-socketio"), ("socks", "pysocks"),
    ("soundfile", "soundfile"), ("spacy", "spacy"), ("speech_recognition", "speechrecognition"),
    ("sqlalchemy", "sqlalchemy"), ("sqlglot", "sqlglot"), ("sqlmodel", "sqlmodel"), ("sqlparse", "sqlparse"),
    ("sse_starlette", "sse-starlette"), ("stable_baselines3", "stable-baselines3"), ("stamina", "stamina"),
    ("starlette", "starlette"), ("starlette_prometheus", "starlette-prometheus"), ("statsmodels", "statsmodels"),
    ("storages", "django-storages"), ("strands", "strands-agents"), ("strawberry", "strawberry-graphql"),
    ("streamlit", "streamlit"), ("streamlit_chat", "streamlit-chat"),
    ("streamlit_option_menu", "streamlit-option-menu"), ("stripe", "stripe"), ("structlog", "structlog"),
    ("supabase", "supabase"), ("sympy", "sympy"), ("tabula", "tabula-py"), ("tabulate", "tabulate"),
    ("taskiq", "taskiq"), ("taskiq_redis", "taskiq-redis"), ("tavily", "tavily-python"),
    ("telegram", "python-telegram-bot"), ("tenacity", "tenacity"), ("tensorboard", "tensorboard"),
    ("tensorflow", "tensorflow"), ("termcolor", "termcolor"), ("textblob", "textblob"), ("textual", "textual"),
    ("thefuzz", "thefuzz"), ("tiktoken", "tiktoken"), ("tinydb", "tinydb"), ("together", "together"),
    ("tokenizers", "tokenizers"), ("toml", "toml"), ("tomli", "tomli"), ("tomli_w", "tomli-w"), ("torch", "torch"),
    ("torchaudio", "torchaudio"), ("torchvision", "torchvision"), ("tornado", "tornado"),
    ("tortoise", "tortoise-orm"), ("tqdm", "tqdm"), ("trafilatura", "trafilatura"), ("transformers", "transformers"),
    ("tree_sitter", "tree-sitter"), ("trio", "trio"), ("trl", "trl"), ("twilio", "twilio"), ("typer", "typer"),
    ("typing_extensions", "typing-extensions"), ("tzdata", "tzdata"), ("tzlocal", "tzlocal"), ("ujson", "ujson"),
    ("umap", "umap-learn"), ("unidecode", "unidecode"), ("unstructured", "unstructured"), ("urllib3", "urllib3"),
    ("usb", "pyusb"), ("uvicorn", "uvicorn"), ("uvloop", "uvloop"), ("validators", "validators"),
    ("vertexai", "google-cloud-aiplatform"), ("vllm", "vllm"), ("vobject", "vobject"), ("voyageai", "voyageai"),
    ("wandb", "wandb"), ("watchdog", "watchdog"), ("watchfiles", "watchfiles"), ("weasyprint", "weasyprint"),
    ("weaviate", "weaviate-client"), ("websocket", "websocket-client"), ("websockets", "websockets"),
    ("werkzeug", "werkzeug"), ("whisper", "openai-whisper"), ("whitenoise", "whitenoise"), ("whois", "python-whois"),
    ("wikipedia", "wikipedia"), ("win32api", "pywin32"), ("wx", "wxpython"), ("xgboost", "xgboost"), ("xlrd", "xlrd"),
    ("xlsxwriter", "xlsxwriter"), ("xmltodict", "xmltodict"), ("yagmail", "yagmail"), ("yaml", "pyyaml"),
    ("yarl", "yarl"), ("yfinance", "yfinance"), ("youtube_transcript_api", "youtube-transcript-api"),
    ("zeep", "zeep"), ("zhipuai", "zhipuai"), ("zmq", "pyzmq"), ("zstandard", "zstandard"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(MODULES.is_sorted_by(|one, other| one.0 < other.0));
    }

    #[test]
    fn names_compare_as_indexes_do() {
        assert_eq!(normalize("Flask_SQLAlchemy"), "flask-sqlalchemy");
        assert_eq!(normalize("zope.interface"), "zope-interface");
    }

    #[test]
    fn a_module_finds_its_provider() {
        let declared = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            provider("git", &declared(&["gitpython"])),
            Some("gitpython")
        );
        assert_eq!(
            provider("starlette.responses", &declared(&["fastapi"])),
            Some("fastapi")
        );
        assert_eq!(
            provider("google.cloud.storage", &declared(&["google-cloud-storage"])),
            Some("google-cloud-storage")
        );
        assert_eq!(
            provider("psycopg2.extras", &declared(&["psycopg2"])),
            Some("psycopg2")
        );
        assert_eq!(provider("unheard_of", &declared(&["fastapi"])), None);
        assert_eq!(distribution_of("unheard_of"), None);
    }
}
