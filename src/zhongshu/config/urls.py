"""Addresses: each floor's own, mounted here."""

from django.urls import URLPattern, URLResolver, include, path

from zhongshu.ops import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("health", health.health),
    path("metrics", health.metrics),
    path("", include("zhongshu.portal.urls")),
]

handler400 = "zhongshu.portal.errors.bad_request"
handler403 = "zhongshu.portal.errors.not_allowed"
handler404 = "zhongshu.portal.errors.not_found"
handler500 = "zhongshu.portal.errors.server_error"
