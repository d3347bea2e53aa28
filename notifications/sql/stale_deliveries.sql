-- Which of the deliveries that were put off when they were made, and are held under a token now, are wanted no more; and
-- why. Not asked by the claim itself: planning this costs more than a whole claim, and few were put off.
SELECT held.notification_id, held.viewer_id, held.channel, held.endpoint_id, held.stale
FROM (
    SELECT d.*, /* stale(d, e, n, pref) */ AS stale
    FROM unnest(%(notifications)s::bigint[], %(viewers)s::bigint[], %(channels)s::text[], %(endpoints)s::bigint[])
        AS taken (notification_id, viewer_id, channel, endpoint_id)
    JOIN notifications_delivery d USING (notification_id, viewer_id, channel, endpoint_id)
    JOIN notifications_endpoint e ON e.id = d.endpoint_id
    LEFT JOIN notifications_notification n ON n.id = d.notification_id
    LEFT JOIN notifications_preference pref ON pref.viewer_id = d.viewer_id
) held
WHERE held.stale <> ''
