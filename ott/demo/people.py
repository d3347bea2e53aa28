"""Who is there: three accounts to sign in with, an owner for each studio, and an audience."""

from collections.abc import Mapping

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils.text import slugify

from accounts.clock import database_now
from accounts.commands import start_membership
from accounts.models import Membership, User, ViewerProfile
from accounts.queries import is_member
from catalog.models import Category
from notifications.commands import ensure_topics, subscribe
from notifications.models import Kind, Subscription, Topic

from .catalogue import STUDIOS, TITLES

PASSWORD = "marquee-demo"  # noqa: S105  # printed at every start; the demo is for one's own machine
STUDIO, VIEWER, OPERATOR = (f"{role}@marquee.example" for role in ("studio", "viewer", "operator"))
AUDIENCE = 100
FOLLOWED_BY_VIEWER = ("category:movies", "category:documentaries", "studio:fieldhouse", "title:low-tide")
_FIRST = ("Ada", "Ben", "Chidi", "Dara", "Emil", "Fay", "Goran", "Hana", "Ines", "Jonas")
_LAST = ("Abara", "Brandt", "Castillo", "Dumont", "Eriksen", "Farouk", "Ghosh", "Hayashi", "Ivanova", "Jansen")


@transaction.atomic
def ensure_account(*, email: str, name: str) -> User:
    """A member who can sign in with `PASSWORD`."""
    user = User.objects.filter(email=email).first() or User.objects.create_user(email, PASSWORD, name=name)
    if not is_member(user_id=user.pk):
        start_membership(user=user)
    return user


def ensure_operator() -> User:
    """Somebody who may do everything in the console."""
    user = ensure_account(email=OPERATOR, name="Olga Operator")
    user.is_staff = user.is_superuser = True
    user.save()
    return user


def ensure_owner(*, slug: str, name: str) -> User:
    """A studio's owner, who cannot sign in."""
    email = f"{slug}@studios.marquee.example"
    return User.objects.filter(email=email).first() or User.objects.create_user(email, name=name)


@transaction.atomic
def ensure_audience() -> None:
    """A hundred viewers, nine in ten of them members, each following three to six topics."""
    emails = [f"viewer{number:03}@audience.marquee.example" for number in range(AUDIENCE)]
    locked_out, now = make_password(None), database_now()
    people = [
        User(email=email, name=f"{_FIRST[number % 10]} {_LAST[number // 10]}", password=locked_out)
        for number, email in enumerate(emails)
    ]
    User.objects.bulk_create(people, ignore_conflicts=True)
    viewers = list(User.objects.filter(email__in=emails).order_by("email"))
    ViewerProfile.objects.bulk_create([ViewerProfile(user=viewer) for viewer in viewers], ignore_conflicts=True)
    paying = [viewer for number, viewer in enumerate(viewers) if number % 10]
    known = set(Membership.objects.filter(user__in=paying).values_list("user_id", flat=True))
    Membership.objects.bulk_create(
        Membership(user=viewer, starts_at=now) for viewer in paying if viewer.pk not in known
    )
    _subscribe_all({viewer.pk: topics_of_viewer(number) for number, viewer in enumerate(viewers)})


def topics_of_viewer(number: int) -> list[str]:
    """What the viewer with that number follows: some of everything, spread evenly."""
    labels = list(topic_labels())
    categories, studios, titles = labels[:5], labels[5:13], labels[13:]
    chosen = {categories[number % 5], studios[number % 8], titles[number % 40]}
    chosen |= {categories[(number // 5) % 5]} | {titles[(number * 7 + 3) % 40], titles[(number * 11 + 5) % 40]}
    return sorted(chosen)


def topic_labels() -> dict[str, str]:
    """Every topic of the demo with its label: categories, then studios, then titles."""
    categories = {f"category:{category.value}": str(category.label) for category in Category}
    studios = {f"studio:{studio.slug}": studio.name for studio in STUDIOS}
    return {**categories, **studios, **{f"title:{slugify(title.name)}": title.name for title in TITLES}}


def subscribe_viewer(viewer: User) -> None:
    """Let the demo's viewer follow a few topics."""
    ensure_topics(labels=topic_labels())
    for topic in FOLLOWED_BY_VIEWER:
        subscribe(viewer_id=viewer.pk, topic=topic)


def _subscribe_all(wanted: Mapping[int, list[str]]) -> None:
    """All at once; the topics' rows are locked, so that nothing is posted between head and interval."""
    ensure_topics(labels=topic_labels())
    topics = {topic.name: topic for topic in Topic.objects.select_for_update(no_key=True).order_by("name")}
    rows = [
        Subscription(viewer_id=viewer_id, topic=topics[name], kinds=Kind.values, from_seq=topics[name].head + 1)
        for viewer_id, names in wanted.items()
        for name in names
    ]
    Subscription.objects.bulk_create(rows, ignore_conflicts=True)
