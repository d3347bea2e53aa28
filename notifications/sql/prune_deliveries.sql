-- Deletes deliveries that ended long ago and adds them to the sums of their notifications: how many were deleted.
WITH gone AS (
    DELETE FROM notifications_delivery
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM notifications_delivery WHERE finished_at < now() - %(retention)s::interval LIMIT %(limit)s
    ))
    RETURNING notification_id, channel, state, GREATEST(attempts - (state = 'sent')::int, 0) AS failures
), summed AS (
    INSERT INTO notifications_pastdeliveries AS past (notification_id, channel, state, deliveries, failures)
    SELECT notification_id, channel, state, count(*), sum(failures)
    FROM gone
    GROUP BY notification_id, channel, state
    ORDER BY notification_id, channel, state
    ON CONFLICT (notification_id, channel, state) DO UPDATE
    SET deliveries = past.deliveries + EXCLUDED.deliveries, failures = past.failures + EXCLUDED.failures
)
SELECT count(*) FROM gone
