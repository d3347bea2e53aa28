"""People: users, what a viewer prefers, when they are members, and their API tokens."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models.functions import Now


class UserManager(BaseUserManager["User"]):
    """Makes users that sign in with an e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user with a viewer profile. Raises `ValueError` without an address."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create an operator who may do everything in the console."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who can sign in: a viewer, a member of a studio, an operator, or all three."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(db_default=Now())

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        # A crowd is looked up among the few who are not active, instead of one by one among all.
        indexes = [models.Index(fields=["id"], condition=models.Q(is_active=False), name="user_inactive")]

    def __str__(self) -> str:
        return self.name or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new user gets a profile in the same transaction, whichever way it was made."""
        with transaction.atomic():
            is_new = self._state.adding
            super().save(*args, **kwargs)
            if is_new:
                ViewerProfile.objects.create(user=self)


class ViewerProfile(models.Model):
    """How a viewer likes to be served. `entitlement_version` grows with every change of what they may see."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="profile")
    time_zone = models.CharField(max_length=64, default="UTC")
    languages = ArrayField(models.CharField(max_length=8), default=list, db_default=[])  # understood; none said: any
    region = models.CharField(max_length=2, blank=True, default="", db_default="")  # of residence; empty: not said
    is_kids = models.BooleanField(default=False)
    entitlement_version = models.BigIntegerField(default=1)


class Membership(models.Model):
    """A period [starts_at, ends_at) in which a viewer is a member; open-ended while `ends_at` is null."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    end_told_at = models.DateTimeField(null=True, editable=False)  # when its member was told that it ends soon

    class Meta:
        indexes = [
            models.Index(fields=["user", "starts_at"], name="membership_of_user"),
            models.Index(
                fields=["ends_at"],
                condition=models.Q(end_told_at__isnull=True, ends_at__isnull=False),
                name="membership_ending",
            ),
        ]


class ApiToken(models.Model):
    """A bearer token for the API; only its SHA-256 is kept. With a studio's slug it may act for that studio alone."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    studio_slug = models.SlugField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)


class IdempotencyKey(models.Model):
    """The answer to a write that carried `Idempotency-Key`, to be given again to a repeat of the same request."""

    user = models.ForeignKey(User, models.CASCADE)
    key = models.CharField(max_length=128)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]
