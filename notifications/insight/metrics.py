"""What the counting of this process counts about itself."""

from prometheus_client import Counter

counted = Counter("insight_viewers", "Viewers told to Redis, repeats included", ["stage"])
lost = Counter("insight_viewers_lost", "Viewers not counted, because Redis was away for too long")
flushed = Counter("insight_sketches_flushed", "Sketches written to PostgreSQL")
