"""What operators write."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now


class Announcement(models.Model):
    """A piece of news for everybody. Once published it can be withdrawn, and not be edited any more."""

    class State(models.TextChoices):
        """draft → published → withdrawn."""

        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        WITHDRAWN = "withdrawn", "Withdrawn"

    title = models.CharField(max_length=120)
    body = models.TextField(max_length=600)
    url = models.CharField(
        "Leads to",
        max_length=300,
        default="/",
        validators=[RegexValidator(r"^/(?![/\\])[\x21-\x7e]*$", "An address of this site: it begins with one slash.")],
        help_text="An address of this site, such as /titles/the-long-night/",
    )
    expires_at = models.DateTimeField(help_text="Then it disappears for everybody.")
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT, editable=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="announcements", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    published_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        permissions = [("publish_announcement", "Can publish and withdraw announcements, and edit everybody's drafts")]

    def __str__(self) -> str:
        return self.title
