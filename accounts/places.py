"""The languages and regions that viewers and releases speak of: ISO 639-1 and ISO 3166-1 alpha-2."""

from collections.abc import Iterable, Mapping
from pathlib import Path

LANGUAGES: Mapping[str, str] = {
    "ar": "العربية",
    "bn": "বাংলা",
    "cs": "Čeština",
    "da": "Dansk",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "es": "Español",
    "fi": "Suomi",
    "fr": "Français",
    "he": "עברית",
    "hi": "हिन्दी",
    "hu": "Magyar",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "no": "Norsk",
    "pl": "Polski",
    "pt": "Português",
    "ro": "Română",
    "sv": "Svenska",
    "ta": "தமிழ்",
    "te": "తెలుగు",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "Українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}
_LINES = (Path(__file__).parent / "regions.txt").read_text(encoding="utf-8").splitlines()
REGIONS: Mapping[str, str] = dict(line.split(" ", 1) for line in _LINES)  # each with its English name
REGION_CHOICES = sorted(REGIONS.items(), key=lambda region: region[1])


def unknown_languages(codes: Iterable[str]) -> list[str]:
    """Those that are no language of ours, in order."""
    return sorted(set(codes) - LANGUAGES.keys())
