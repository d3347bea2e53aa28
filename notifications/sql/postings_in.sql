-- The revisions that were posted in the given ranges of topics' seqs, each with all the places it was posted at.
WITH wanted AS (
    SELECT DISTINCT p.notification_id, p.revision
    FROM jsonb_to_recordset(%(ranges)s) AS wanted (topic text, low bigint, high bigint)
    JOIN notifications_topic t ON t.name = wanted.topic
    JOIN notifications_posting p ON p.topic_id = t.id AND p.seq BETWEEN wanted.low AND wanted.high
)
SELECT
    p.notification_id, p.revision, max(p.posted_at) AS posted_at, max(p.regions) AS concerns,
    jsonb_object_agg(t.name, p.seq) AS positions
FROM wanted
JOIN notifications_posting p ON p.notification_id = wanted.notification_id AND p.revision = wanted.revision
JOIN notifications_topic t ON t.id = p.topic_id
GROUP BY p.notification_id, p.revision
ORDER BY posted_at
