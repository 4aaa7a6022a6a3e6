"""Django as WSGI; the web process runs it in a bounded thread pool behind the ASGI front."""

from django.core.wsgi import get_wsgi_application

from .boot import boot

boot()
application = get_wsgi_application()
