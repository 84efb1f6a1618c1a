"""What is configured: every setting, from the environment, in one order (table: docs/settings.md)."""

from __future__ import annotations

import hmac
from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from spotopt.env import Environment, socket_sources

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# --- What must be known -------------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.required("SECRET_KEY", why="sessions are signed with it; 50 random characters")
# the database must never hold it
AUDIT_KEY = env.required("AUDIT_KEY", why="the audit log is sealed with it; 50 random characters, kept for good")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("127.0.0.1", "localhost"))
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
IS_HTTPS = env.flag("HTTPS", True)
PROXIES = env.whole("PROXIES", 0)  # in front of us, each adding to X-Forwarded-For; 0 = that header is anybody's word

# --- The admin ----------------------------------------------------------------------------------------------------
ADMIN_PATH = env.text("ADMIN_PATH", "admin/")
ADMIN_NETWORKS = env.networks("ADMIN_NETWORKS")  # from where it is there at all; empty: from everywhere
ADMIN_SESSION_MINUTES = env.whole("ADMIN_SESSION_MINUTES", 30, least=1)  # without a request in it

# --- Applications -------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "spotopt.admin_config.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "template_partials",
    "csp",
    "django_celery_beat",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "spotopt",
    "accounts",
    "instances",
    "mlregistry",
    "governance",
    "pipelines",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "spotopt.requests.RequestIdMiddleware",
    "spotopt.headers.Headers",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.second_factor.SecondFactorFirst",
]
ROOT_URLCONF = "spotopt.urls"
WSGI_APPLICATION = "spotopt.wsgi.application"
ASGI_APPLICATION = "spotopt.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.tenancy",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "accounts:sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- Second factors and tokens ------------------------------------------------------------------------------------
# of staff and owners; optional is for a machine of one's own: whoever has a factor is asked for it all the same
SECOND_FACTOR = env.one_of("SECOND_FACTOR", "required", ("required", "optional"))
OTP_TOTP_ISSUER = "spotopt"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True  # the secret in a QR code is the person's alone
SIMPLE_JWT = {
    "ALGORITHM": "HS256",  # the only one taken, whatever a token's header says
    "SIGNING_KEY": hmac.digest(SECRET_KEY.encode(), b"spotopt tokens", "sha256").hex(),
    "ISSUER": "spotopt",
    "AUDIENCE": "spotopt-api",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
}

# --- PostgreSQL ---------------------------------------------------------------------------------------------------
DATABASE_ROLE_APP = env.text("DATABASE_ROLE_APP", "app")  # may only insert into the audit table
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.database("DATABASE_URL", why="e.g. postgresql://app@db/spotopt"),
        "CONN_MAX_AGE": env.whole("DATABASE_CONN_MAX_AGE", 60),
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {
            # a runaway page must not hold a lock that a worker needs (spec 12)
            "options": f"-c statement_timeout={env.whole('DATABASE_STATEMENT_TIMEOUT_MS', 0)}"
            f" -c lock_timeout={env.whole('DATABASE_LOCK_TIMEOUT_MS', 2000)}"
            " -c idle_in_transaction_session_timeout=30000 -c timezone=UTC",
        },
    }
}

# --- Redis: a broker that never evicts, and a cache that may --------------------------------------------------------
REDIS_BROKER_URL = env.required("REDIS_BROKER_URL", why="Celery's queue, e.g. redis://redis:6379/0")
REDIS_CACHE_URL = env.required("REDIS_CACHE_URL", why="quotes and predictions, e.g. redis://cache:6379/0")
CACHE_TTL_SECONDS = env.whole("CACHE_TTL_SECONDS", 3600, least=1)
CACHE_METADATA_TTL_SECONDS = env.whole("CACHE_METADATA_TTL_SECONDS", 86400, least=1)

# what wakes the live processes, and messages for the pages that one person has open; it must not evict either
REDIS_LIVE_URL = env.required("REDIS_LIVE_URL", why="what wakes open pages, e.g. redis://redis:6379/1")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # redis-py gives up reading after 5 s, and the layer waits for a message longer than that
        "CONFIG": {"hosts": [{"address": REDIS_LIVE_URL, "socket_timeout": None, "socket_connect_timeout": 2}]},
    }
}
FEED_RETENTION_HOURS = env.whole("FEED_RETENTION_HOURS", 48, least=1)

# --- Celery -------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 570
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# longer than the longest task, or Redis hands it out twice; not the default hour, which strands work (stack.md)
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 900}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- AWS and the market -------------------------------------------------------------------------------------------
# boto3 reads AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID … itself: the installation's own identity, for market reads.
MARKET_REGIONS = env.words("MARKET_REGIONS", ("us-east-1", "eu-west-3"))
SPOT_ADVISOR_URL = env.text("SPOT_ADVISOR_URL", "https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json")
INSTALLATION_ACCOUNT_ID = env.text("INSTALLATION_ACCOUNT_ID")  # named in the trust policy customers deploy
PRICE_HISTORY_DAYS = env.whole("PRICE_HISTORY_DAYS", 90, least=8)  # AWS keeps 90 days
PRICE_RETENTION_DAYS = env.whole("PRICE_RETENTION_DAYS", 180, least=120)  # of changes; their daily rows stay
MARKET_FETCH_PARALLELISM = env.whole("MARKET_FETCH_PARALLELISM", 5, least=1)

# --- Models -------------------------------------------------------------------------------------------------------
MODEL_UPLOAD_LIMIT_MIB = env.whole("MODEL_UPLOAD_LIMIT_MIB", 64, least=1)
SPOTOPT_DATA = env.path("SPOTOPT_DATA", BASE_DIR.parent / "shared" / "data")

# --- History ------------------------------------------------------------------------------------------------------
# decisions with their receipts, and the audit log, are kept for good
RUN_RETENTION_DAYS = env.whole("RUN_RETENTION_DAYS", 90, least=7)
PREDICTION_RETENTION_DAYS = env.whole("PREDICTION_RETENTION_DAYS", 180, least=30)
COMPONENT_RUN_RETENTION_DAYS = env.whole("COMPONENT_RUN_RETENTION_DAYS", 30, least=2)  # the monitor shows a day

# --- Safety -------------------------------------------------------------------------------------------------------
IGNORE_TAGS = env.words("IGNORE_TAGS", ("spotopt:ignore", "cloudoptim:ignore"))

# --- The API ------------------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiKeyAuthentication",
        "accounts.authentication.JwtAuthentication",
        "accounts.authentication.PersonAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.authentication.HasCaller"],
    "DEFAULT_PARSER_CLASSES": ["spotopt.bodies.Json"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "spotopt.pagination.LimitOffset",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "spotopt.operations.Operations",
    "EXCEPTION_HANDLER": "spotopt.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttling.CallerThrottle"],
    "NUM_PROXIES": PROXIES,
    "DEFAULT_THROTTLE_RATES": {
        "caller": env.text("API_RATE", "6000/min"),
        "sign-in": env.text("SIGN_IN_RATE", "10/min"),
        "second-factor": env.text("SECOND_FACTOR_RATE", "10/min"),
    },
    "COERCE_DECIMAL_TO_STRING": True,
    "SCHEMA_COERCE_PATH_PK": False,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "spotopt",
    "DESCRIPTION": "Runs AWS compute on Spot safely. Money is a decimal string in USD; rates are numbers in [0, 1].",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SORT_OPERATIONS": True,
    "ENUM_NAME_OVERRIDES": {
        "ComponentStatusEnum": "governance.domain.components.Status",
        "ModelStatusEnum": [(status, status) for status in ("testing", "graduated", "rejected")],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "spotopt.schema.say_how_it_refuses",
    ],
}
METRICS_TOKEN = env.text("METRICS_TOKEN")  # a scraper's; without one, /metrics is for platform keys and staff
API_BODY_LIMIT_MIB = env.whole("API_BODY_LIMIT_MIB", 8, least=1)
DATA_UPLOAD_MAX_MEMORY_SIZE = API_BODY_LIMIT_MIB * 2**20
FILE_UPLOAD_HANDLERS = [
    "spotopt.bodies.NoLargerThanModels",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- The browser --------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "connect-src": [SELF, *socket_sources(ALLOWED_HOSTS, is_https=IS_HTTPS)],
    }
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True  # htmx takes the token from the page, not from the cookie
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", IS_HTTPS)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # who supervises us asks from inside
# a proxy of ours ends TLS and says so; without one the header is anybody's word
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXIES else None
SECURE_HSTS_SECONDS = env.whole("SECURE_HSTS_SECONDS", 31_536_000 if IS_HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- Language and time --------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

# --- Logs ---------------------------------------------------------------------------------------------------------
LOG_LEVEL = env.one_of("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = env.one_of("LOG_FORMAT", "json", ("json", "console"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request": {"()": "spotopt.requests.RequestFilter"}},
    "formatters": {
        "json": {"()": "spotopt.redaction.JsonLine"},
        "console": {"()": "spotopt.redaction.PlainLine"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request"]}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "botocore": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        # Django's own would mail reports and write to the console beside us
        "django": {"handlers": [], "level": "INFO"},
        "django.request": {"level": "ERROR"},
        "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
        # a server's access lines quote whole addresses; spotopt.requests writes one line for each answer instead
        "uvicorn": {"handlers": [], "level": "INFO", "propagate": True},
        "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
        "gunicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
        "gunicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
DEFAULT_EXCEPTION_REPORTER_FILTER = "spotopt.redaction.ReportFilter"

env.settle()
