"""The security floor as a Django app."""

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    """Floor 0."""

    name = "zhongshu.security"
    label = "security"
    verbose_name = "security"
