-- Keeps sketches and what they count. What is told to one viewer alone (`viewer:<id>`) is nobody else's to count.
INSERT INTO notifications_reach AS held (notification_id, stage, viewers, sketch)
SELECT n.id, told.stage, told.viewers, told.sketch
FROM unnest(%(notifications)s::bigint[], %(stages)s::text[], %(viewers)s::bigint[], %(sketches)s::bytea[])
    AS told (notification_id, stage, viewers, sketch)
JOIN notifications_notification n ON n.id = told.notification_id
WHERE NOT EXISTS (
    SELECT
    FROM notifications_posting p
    JOIN notifications_topic t ON t.id = p.topic_id
    WHERE p.notification_id = n.id AND t.name LIKE 'viewer:%%'
)
ON CONFLICT (notification_id, stage) DO UPDATE
SET viewers = GREATEST(held.viewers, EXCLUDED.viewers), sketch = EXCLUDED.sketch
