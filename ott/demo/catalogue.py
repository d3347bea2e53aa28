"""What the demo shows: invented studios and titles. Every word and picture of it is made here."""

from dataclasses import dataclass

from catalog.models import Category


@dataclass(frozen=True)
class DemoStudio:
    """A studio to seed."""

    slug: str
    name: str
    tagline: str


@dataclass(frozen=True)
class DemoTitle:
    """A title to seed. `scene` and `palette` are how its pictures are drawn; `episodes` how many of it are out."""

    name: str
    studio: str
    category: str
    scene: str
    palette: str
    synopsis: str
    year: int = 2026
    maturity: int = 0
    episodes: int = 0


STUDIOS = (
    DemoStudio("aurora", "Aurora Pictures", "Films for the hours after dark"),
    DemoStudio("halfmoon", "Halfmoon Television", "One more episode"),
    DemoStudio("ninth-avenue", "Ninth Avenue", "Stories from the fire escape"),
    DemoStudio("fieldhouse", "Fieldhouse Sports", "Every second of it"),
    DemoStudio("true-north", "True North Films", "The world, unhurried"),
    DemoStudio("saltwater", "Saltwater Stories", "From the edge of the map"),
    DemoStudio("pocketful", "Pocketful", "Small heroes, large hearts"),
    DemoStudio("lantern", "Lantern & Loom", "Handmade cinema"),
)

MOVIES, TV = Category.MOVIES, Category.TV_SHOWS
SPORTS, DOCS, KIDS = Category.SPORTS, Category.DOCUMENTARIES, Category.KIDS

TITLES = (
    DemoTitle(
        "The Long Night",
        "aurora",
        MOVIES,
        "ridges",
        "dusk",
        "When the sun fails to rise over a mountain town, its night-shift radio host is the only voice anybody trusts.",
        maturity=12,
    ),
    DemoTitle(
        "Glass Harbour",
        "saltwater",
        MOVIES,
        "ocean",
        "ember",
        "A diver hired to raise a sunken ferry finds that somebody has been living in its dry third deck.",
        maturity=12,
    ),
    DemoTitle(
        "Paper Moons",
        "lantern",
        MOVIES,
        "orbit",
        "rose",
        "Two rival kite makers fall out, fall in love, and fall off the same roof.",
        year=2025,
    ),
    DemoTitle(
        "Eleven Minutes Past",
        "ninth-avenue",
        MOVIES,
        "city",
        "neon",
        "A courier relives one delivery until she notices who else is late.",
        maturity=16,
    ),
    DemoTitle(
        "The Cartographer's Debt",
        "aurora",
        MOVIES,
        "dunes",
        "amber",
        "He sold maps of a country that did not exist. Now its army has come to collect.",
        year=2025,
        maturity=12,
    ),
    DemoTitle(
        "Slow Thunder",
        "lantern",
        MOVIES,
        "forest",
        "moss",
        "A piano tuner drives the last grand piano across a country that has forgotten music.",
    ),
    DemoTitle(
        "Hollow Star",
        "aurora",
        MOVIES,
        "orbit",
        "ice",
        "The crew of a mining tug hears a distress call in their own voices.",
        maturity=16,
    ),
    DemoTitle(
        "Velvet Static",
        "ninth-avenue",
        MOVIES,
        "rings",
        "violet",
        "A late-night DJ takes requests from listeners who have not called yet.",
        year=2025,
        maturity=16,
    ),
    DemoTitle(
        "Low Tide",
        "saltwater",
        TV,
        "ocean",
        "teal",
        "Every spring tide uncovers the same road, and every year somebody drives down it.",
        maturity=12,
        episodes=4,
    ),
    DemoTitle(
        "The Night Desk",
        "halfmoon",
        TV,
        "city",
        "ink",
        "Seven reporters, one phone line, and the hours in which a city confesses.",
        maturity=12,
        episodes=3,
    ),
    DemoTitle(
        "Second Spring",
        "halfmoon",
        TV,
        "dunes",
        "rose",
        "Four friends open a bakery at seventy, against medical advice.",
        episodes=3,
    ),
    DemoTitle(
        "Signal Hill",
        "ninth-avenue",
        TV,
        "ridges",
        "neon",
        "A lighthouse on land warns of something that is not the sea.",
        maturity=16,
        episodes=4,
    ),
    DemoTitle(
        "Borrowed Weather",
        "lantern",
        TV,
        "forest",
        "ice",
        "In a village that rents its climate by the week, the bill is overdue.",
        year=2025,
        episodes=2,
    ),
    DemoTitle(
        "The Understudies",
        "halfmoon",
        TV,
        "rings",
        "ember",
        "The stars never turn up. The show goes on, and on, and on.",
        maturity=7,
        episodes=3,
    ),
    DemoTitle(
        "Copper and Rain",
        "ninth-avenue",
        TV,
        "city",
        "amber",
        "A locksmith and a forger share a shop, a wall, and a warrant.",
        maturity=12,
        episodes=2,
    ),
    DemoTitle(
        "Outer Ring",
        "halfmoon",
        TV,
        "orbit",
        "violet",
        "Commuters on an orbital train line solve the crimes that happen between stations.",
        maturity=12,
        episodes=3,
    ),
    DemoTitle(
        "Harbour Cup",
        "fieldhouse",
        SPORTS,
        "ocean",
        "ice",
        "Eight crews, one lap of the old harbour, and a crosswind that takes no sides.",
    ),
    DemoTitle(
        "Midnight Marathon",
        "fieldhouse",
        SPORTS,
        "city",
        "ember",
        "Forty thousand runners cross a city that has switched off its lights for them.",
    ),
    DemoTitle(
        "Ridge Riders",
        "true-north",
        SPORTS,
        "ridges",
        "amber",
        "Downhill at dawn: mountain bikes on the ridge that nobody rides twice.",
    ),
    DemoTitle(
        "The Floodlight League",
        "fieldhouse",
        SPORTS,
        "track",
        "moss",
        "Friday-night football from grounds with one stand and ten thousand opinions.",
    ),
    DemoTitle(
        "Velodrome",
        "fieldhouse",
        SPORTS,
        "track",
        "neon",
        "Two hundred and fifty metres of timber, and nowhere to hide.",
        year=2025,
    ),
    DemoTitle("White Line Fever", "fieldhouse", SPORTS, "track", "rose", "Sprint finals, filmed from the lane."),
    DemoTitle(
        "Ice Road Relay",
        "true-north",
        SPORTS,
        "dunes",
        "ice",
        "Teams of four ski a frozen river from its spring to the sea.",
    ),
    DemoTitle(
        "Open Water",
        "saltwater",
        SPORTS,
        "ocean",
        "dusk",
        "Swimmers against the strait, the cold, and the ferry timetable.",
        year=2025,
    ),
    DemoTitle(
        "The Quiet Continent",
        "true-north",
        DOCS,
        "ridges",
        "ice",
        "A year in a place where the loudest sound is your own coat.",
    ),
    DemoTitle(
        "Salt Roads",
        "true-north",
        DOCS,
        "dunes",
        "ember",
        "Following the oldest trade in the desert with the last caravan that needs no map.",
    ),
    DemoTitle(
        "How Rivers Think",
        "saltwater",
        DOCS,
        "forest",
        "teal",
        "Hydrologists, poets and beavers explain why water remembers.",
    ),
    DemoTitle(
        "Night Markets",
        "lantern",
        DOCS,
        "city",
        "rose",
        "What the world eats after everybody else has gone to bed.",
        episodes=3,
    ),
    DemoTitle(
        "The Last Projectionist",
        "aurora",
        DOCS,
        "rings",
        "amber",
        "Forty years of light through a window the size of a postcard.",
        year=2025,
    ),
    DemoTitle(
        "Under One Moon",
        "true-north",
        DOCS,
        "orbit",
        "dusk",
        "Twelve nights, twelve latitudes, one and the same full moon.",
    ),
    DemoTitle(
        "Understory", "true-north", DOCS, "forest", "moss", "A forest seen from the height of a beetle.", year=2025
    ),
    DemoTitle(
        "Made by Hand",
        "lantern",
        DOCS,
        "rings",
        "teal",
        "Makers of violins, knives, shoes and globes, and what they do when nobody watches.",
        episodes=2,
    ),
    DemoTitle(
        "Pip and the Paper Boat",
        "pocketful",
        KIDS,
        "toys",
        "candy",
        "A very small mouse sails a very long gutter.",
        episodes=4,
    ),
    DemoTitle(
        "The Moon's Bicycle",
        "pocketful",
        KIDS,
        "orbit",
        "candy",
        "Every evening somebody has to pedal the moon up. Tonight it is Ada's turn.",
    ),
    DemoTitle(
        "Captain Marmalade",
        "pocketful",
        KIDS,
        "ocean",
        "candy",
        "The least fearsome pirate of the seven ponds.",
        episodes=3,
    ),
    DemoTitle(
        "Dot, Dash and Comma",
        "pocketful",
        KIDS,
        "toys",
        "teal",
        "Three punctuation marks look for the end of their sentence.",
        episodes=3,
    ),
    DemoTitle(
        "The Snow Train", "lantern", KIDS, "ridges", "violet", "It only runs when nobody has to be anywhere.", year=2025
    ),
    DemoTitle(
        "Biscuit Island",
        "pocketful",
        KIDS,
        "dunes",
        "candy",
        "A map, a crumb, and a tide that tastes of ginger.",
        episodes=2,
    ),
    DemoTitle("Owl School", "pocketful", KIDS, "forest", "dusk", "Lessons begin at bedtime.", episodes=3),
    DemoTitle(
        "Little Big Weather",
        "halfmoon",
        KIDS,
        "toys",
        "amber",
        "A cloud the size of a hat wants to be a storm.",
        maturity=0,
        year=2025,
    ),
)
