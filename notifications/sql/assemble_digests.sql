-- Puts what is held and due into one mail for each endpoint: the delivery of the oldest notification is opened and names
-- them all, the others follow it. Up to about `limit` at once, and never a part of what one endpoint was held for one
-- time. Answers how many were taken.
WITH boundary AS (
    SELECT d.next_attempt_at, d.endpoint_id
    FROM notifications_delivery d
    WHERE d.state = 'held' AND d.next_attempt_at <= now()
    ORDER BY d.next_attempt_at, d.endpoint_id
    OFFSET %(limit)s LIMIT 1
), due AS MATERIALIZED (
    SELECT d.ctid AS place, d.notification_id, d.viewer_id, d.endpoint_id, d.waits, d.unless_seen
    FROM notifications_delivery d
    WHERE d.state = 'held' AND d.next_attempt_at <= now()
      AND (
          NOT EXISTS (SELECT FROM boundary)
          OR (d.next_attempt_at, d.endpoint_id) <= (SELECT next_attempt_at, endpoint_id FROM boundary)
      )
    FOR UPDATE OF d
), judged AS (
    SELECT
        due.place, due.endpoint_id, due.notification_id,
        CASE
            WHEN e.id IS NULL OR n.id IS NULL OR n.recalled THEN 'There is nobody, or nothing, to tell any more.'
            WHEN n.expires_at <= now() THEN 'It was over before its digest was due.'
            ELSE /* stale(due, e, n, pref) */
        END AS stale
    FROM due
    LEFT JOIN notifications_endpoint e ON e.id = due.endpoint_id
    LEFT JOIN notifications_notification n ON n.id = due.notification_id
    LEFT JOIN notifications_preference pref ON pref.viewer_id = e.viewer_id
), bundles AS (
    SELECT
        endpoint_id, min(notification_id) AS carrier,
        CASE WHEN count(*) > 1 THEN array_agg(notification_id ORDER BY notification_id) END AS bundle
    FROM judged
    WHERE stale = ''
    GROUP BY endpoint_id
)
UPDATE notifications_delivery d
SET state = CASE
        WHEN judged.stale <> '' THEN 'cancelled'
        WHEN d.notification_id = bundles.carrier THEN 'open'
        ELSE 'bundled'
    END,
    bundle = CASE WHEN judged.stale = '' AND d.notification_id = bundles.carrier THEN bundles.bundle END,
    waits = FALSE,
    last_error = judged.stale,
    finished_at = CASE WHEN judged.stale <> '' THEN now() END
FROM judged
LEFT JOIN bundles ON bundles.endpoint_id = judged.endpoint_id
WHERE d.ctid = judged.place
