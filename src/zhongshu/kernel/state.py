"""What the installation remembers about itself."""

from django.db import models

__all__ = ["RegistryState"]


class RegistryState(models.Model):
    """The registry digest of each app or pack at the last migration; a process with other code refuses to start."""

    part = models.CharField(max_length=50, primary_key=True)
    digest = models.CharField(max_length=64)
    noted_at = models.DateTimeField(auto_now=True)
