-- Revisions of notifications, each with all the places it was posted at.
SELECT
    p.notification_id, p.revision, max(p.posted_at) AS posted_at, max(p.regions) AS concerns,
    jsonb_object_agg(t.name, p.seq) AS positions
FROM unnest(%(notifications)s::bigint[], %(revisions)s::int[]) AS wanted (notification_id, revision)
JOIN notifications_posting p ON p.notification_id = wanted.notification_id AND p.revision = wanted.revision
JOIN notifications_topic t ON t.id = p.topic_id
GROUP BY p.notification_id, p.revision
