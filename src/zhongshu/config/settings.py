"""Django's settings, made from the installation's one documented file."""

from pathlib import Path
from urllib.parse import unquote, urlparse

from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.home import SettingsError, get_secret, load_house
from zhongshu.kernel.pack import find_packs

HOUSE = load_house()
PACKS = find_packs()

SECRET_KEY = get_secret(HOUSE)
DEBUG = False
ALLOWED_HOSTS = [*HOUSE.web.names]
ROOT_URLCONF = "zhongshu.config.urls"
WSGI_APPLICATION = "zhongshu.config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "zhongshu.kernel.apps.KernelConfig",
    "zhongshu.security.apps.SecurityConfig",
    "zhongshu.ability.apps.AbilityConfig",
    "zhongshu.sense.apps.SenseConfig",
    "zhongshu.brain.apps.BrainConfig",
    "zhongshu.work.apps.WorkConfig",
    *(pack.app for pack in PACKS),
    "zhongshu.portal.apps.PortalConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "zhongshu.portal.csp.CspMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "zhongshu.security.identity.middleware.ActorMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
                "zhongshu.portal.csp.csp_nonce",
            ]
        },
    }
]


def _database() -> dict[str, object]:
    url = urlparse(HOUSE.records.url)
    if not HOUSE.records.url:
        return {
            "ENGINE": "zhongshu.kernel.db.sqlite3",
            "NAME": str(HOUSE.path("records.sqlite3")),
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
            "CONN_MAX_AGE": None,
            "TEST": {"NAME": str(HOUSE.path("test-records.sqlite3"))},
        }
    if url.scheme not in ("postgres", "postgresql"):
        raise SettingsError(f"[records] url = {HOUSE.records.url!r} is neither empty (SQLite) nor postgres://user:password@host:port/name")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": _database()}

AUTH_USER_MODEL = "security.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AXES_FAILURE_LIMIT = HOUSE.security.attempts
AXES_COOLOFF_TIME = HOUSE.security.lockout_minutes / 60
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
OTP_TOTP_ISSUER = HOUSE.city.name
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"

SESSION_COOKIE_AGE = HOUSE.web.session_hours * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HOUSE.web.https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

USE_TZ = True
TIME_ZONE = HOUSE.city.zone
USE_I18N = True
LANGUAGE_CODE = HOUSE.city.language
LANGUAGES = [("zh-hans", _("Chinese")), ("en", _("English"))]
LOCALE_PATHS = [str(Path(__file__).parent.parent / "locale")]
STATIC_URL = "/static/"

DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["err"], "level": "WARNING"},
    "loggers": {"zhongshu": {"level": "INFO"}},
}
