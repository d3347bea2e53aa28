"""What the browser tests find on the site, made by `manage.py shell` on the running platform."""

from datetime import timedelta

from django.core.files.base import ContentFile

from accounts.clock import database_now
from accounts.commands import create_viewer, end_membership
from accounts.models import User
from catalog.commands import add_studio_member, create_studio, create_title, draft_release, publish_release
from catalog.models import Studio, Title
from notifications.commands import subscribe
from ott.demo import art

PASSWORD = "correct horse battery"
PEOPLE = ("studio", "viewer", "reader", "lapsed", "editor", "operator")


def make() -> None:
    """A studio with three titles, one of them a series and one an event, and the people of `PEOPLE`."""
    people = {name: _person(name) for name in PEOPLE}
    User.objects.filter(pk=people["operator"].pk).update(is_staff=True, is_superuser=True)
    aurora = create_studio(actor=people["studio"], name="Aurora Pictures", slug="aurora", tagline="After dark")
    create_studio(actor=people["operator"], name="Rival Films", slug="rival")
    add_studio_member(actor=people["studio"], studio=aurora, user=people["editor"], role="editor")
    night = _title(aurora, "The Long Night", "movies", "ridges", "dusk")
    tide = _title(aurora, "Low Tide", "tv-shows", "ocean", "teal")
    cup = _title(aurora, "Harbour Cup", "sports", "ocean", "ember")
    for topic in ("title:the-long-night", "category:tv-shows"):
        subscribe(viewer_id=people["viewer"].pk, topic=topic)
    for topic in ("category:tv-shows", "category:kids"):
        subscribe(viewer_id=people["reader"].pk, topic=topic)
    end_membership(user=people["lapsed"])
    _published(night, kind="premiere", synopsis="A town waits for the sun.")
    for episode in (1, 2, 3):
        _published(tide, kind="episode", season=1, episode=episode, synopsis="The road comes up again.")
    _published(cup, kind="live_event", starts_at=database_now() + timedelta(hours=30))


def _person(name: str) -> User:
    return create_viewer(email=f"{name}@test.example", password=PASSWORD, name=f"{name.capitalize()} Test")


def _title(studio: Studio, name: str, category: str, scene: str, palette: str) -> Title:
    return create_title(
        actor=None,
        studio=studio,
        name=name,
        category=category,
        synopsis=f"{name}: what happens when nobody looks.",
        year=2026,
        poster=ContentFile(art.poster(name=name, studio=studio.name, scene=scene, palette=palette), name="p.jpg"),
        backdrop=ContentFile(art.backdrop(name=name, scene=scene, palette=palette), name="b.jpg"),
    )


def _published(title: Title, **details: object) -> None:
    release = draft_release(actor=None, studio=title.studio, title=title, **details)  # type: ignore[arg-type]
    publish_release(release_id=release.pk, actor=None)
