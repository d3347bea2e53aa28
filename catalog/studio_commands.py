"""Everything that changes studios, their teams and their titles."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from accounts.models import User

from .art import stored_image
from .details import clean_text
from .errors import InvalidRelease, NotFound
from .models import Category, Maturity, Studio, StudioMember, Title, TitleType
from .permissions import Action, require

SLUG_LENGTH = 50  # of studios and titles alike; a suffix may follow
FIRST_FILM, LAST_YEAR = 1888, 2100
USUAL_TYPE = {
    Category.MOVIES: TitleType.FILM,
    Category.TV_SHOWS: TitleType.SERIES,
    Category.SPORTS: TitleType.SPORT,
    Category.DOCUMENTARIES: TitleType.DOCUMENTARY,
    Category.KIDS: TitleType.SERIES,
}


@transaction.atomic
def create_studio(*, actor: User, name: str, slug: str = "", tagline: str = "") -> Studio:
    """Make a studio whose owner is the actor. Raises `InvalidRelease` for an empty name or a slug that is taken."""
    name = _named(name, limit=120)
    studio = Studio(name=name, tagline=clean_text("tagline", tagline, limit=200))
    if slug:
        studio.slug = _slug(slug)
        _insert(studio, taken=f"There is a studio {slug!r} already.")
    else:
        _insert_with_free_slug(studio, name)
    StudioMember.objects.create(studio=studio, user=actor, role=StudioMember.Role.OWNER)
    return studio


def add_studio_member(*, actor: User | None, studio: Studio, user: User, role: str) -> StudioMember:
    """Give somebody a role in a studio, or another one. Raises `NotAllowed` unless the actor manages the team."""
    require(actor=actor, studio=studio, action=Action.MANAGE)
    if role not in StudioMember.Role.values:
        raise InvalidRelease(f"A role is one of {', '.join(StudioMember.Role.values)}.", field="role")
    member, _ = StudioMember.objects.update_or_create(studio=studio, user=user, defaults={"role": role})
    return member


@transaction.atomic
def create_title(
    *,
    actor: User | None,
    studio: Studio,
    name: str,
    category: str,
    type: str = "",  # noqa: A002  # the word that the API uses
    synopsis: str = "",
    maturity: int = Maturity.ALL,
    year: int | None = None,
    poster: "File[bytes] | None" = None,
    backdrop: "File[bytes] | None" = None,
) -> Title:
    """Make a title. Raises `NotAllowed`, `InvalidRelease`, and `InvalidUpload` for art that is not a picture."""
    require(actor=actor, studio=studio, action=Action.DRAFT)
    title = Title(
        studio=studio,
        name=_named(name, limit=160),
        category=_one_of(Category, category, "category"),
        type=_one_of(TitleType, type, "type") if type else USUAL_TYPE[Category(category)],
        synopsis=clean_text("synopsis", synopsis, limit=2000),
        maturity=_one_of(Maturity, maturity, "maturity"),
        year=_year(year),
        poster=stored_image(poster, size=(800, 1200)),
        backdrop=stored_image(backdrop, size=(1920, 1080)),
    )
    _insert_with_free_slug(title, title.name)
    return title


@transaction.atomic
def edit_title(*, actor: User | None, title_id: int, changes: Mapping[str, Any]) -> Title:
    """Change name, synopsis, maturity, year, poster or backdrop; what is not given stays.

    Raises `NotFound`, `NotAllowed`, `InvalidRelease` and `InvalidUpload`.
    """
    title = Title.objects.select_related("studio").filter(pk=title_id).first()
    if title is None:
        raise NotFound("There is no such title.")
    require(actor=actor, studio=title.studio, action=Action.DRAFT)
    for field, value in changes.items():
        setattr(title, field, _cleaned(field, value))
    title.save(update_fields=sorted(changes))
    return title


def find_or_create_title(*, studio: Studio, named: str, category: str, type_: str) -> Title:
    """The studio's title with this slug or name; else a new one. Raises `InvalidRelease`."""
    Studio.objects.select_for_update(no_key=True).get(pk=studio.pk)  # two at once with one name make one title
    own = Title.objects.select_related("studio").filter(studio=studio)
    found = own.filter(slug=named).first() or own.filter(name__iexact=named.strip()).order_by("pk").first()
    if found is not None:
        return found
    if not category:
        message = f"{studio.name} has no title {named!r}. To make one, say in which category."
        raise InvalidRelease(message, field="category")
    return create_title(actor=None, studio=studio, name=named, category=category, type=type_)


def _cleaned(field: str, value: Any) -> Any:
    match field:
        case "name":
            return _named(value, limit=160)
        case "synopsis":
            return clean_text(field, value, limit=2000)
        case "maturity":
            return _one_of(Maturity, value, field)
        case "year":
            return _year(value)
        case "poster":
            return stored_image(value, size=(800, 1200))
        case "backdrop":
            return stored_image(value, size=(1920, 1080))
    raise InvalidRelease(f"The {field} of a title cannot be changed.", field=field)


def _named(name: str, *, limit: int) -> str:
    text = clean_text("name", name, limit=limit)
    if not text:
        raise InvalidRelease("A name is needed.", field="name")
    return text


def _slug(slug: str) -> str:
    if slug != slugify(slug) or len(slug) > SLUG_LENGTH:
        raise InvalidRelease(f"A slug has at most {SLUG_LENGTH} small letters, digits and hyphens.", field="slug")
    return slug


def _year(year: int | None) -> int | None:
    if year is not None and not FIRST_FILM <= year <= LAST_YEAR:
        raise InvalidRelease(f"The year must be from {FIRST_FILM} to {LAST_YEAR}.", field="year")
    return year


def _one_of(choices: Any, value: Any, field: str) -> Any:
    try:
        return choices(value)
    except ValueError as error:
        values = ", ".join(str(choice) for choice in choices.values)
        raise InvalidRelease(f"The {field} must be one of {values}.", field=field) from error


def _insert_with_free_slug(row: Studio | Title, name: str) -> None:
    """Insert with a slug made of the name; if somebody has that one, with a few random characters behind it."""
    base = slugify(name)[: SLUG_LENGTH - 9].strip("-")
    row.slug = base or uuid4().hex[:8]
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        row.slug = f"{base}-{uuid4().hex[:8]}"
        row.save(force_insert=True)


def _insert(row: Studio, *, taken: str) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise InvalidRelease(taken, field="slug") from error
