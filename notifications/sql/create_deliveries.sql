-- A delivery for each endpoint of the viewers [first, last) who are to be told of a notification; twice is as once.
INSERT INTO notifications_delivery (
    notification_id, viewer_id, channel, endpoint_id, lane, state, attempts, next_attempt_at, created_at, last_error
)
SELECT n.id, e.viewer_id, e.channel, e.id, %(lane)s, 'open', 0, now(), now(), ''
FROM notifications_notification n
JOIN notifications_endpoint e ON e.viewer_id >= %(first)s AND e.viewer_id < %(last)s
WHERE n.id = %(notification)s
AND NOT n.recalled
AND (n.expires_at IS NULL OR n.expires_at > now())
AND /* recipients(e, n) */
ORDER BY e.viewer_id, e.channel, e.id  -- in the order of the index, which is then filled from left to right
ON CONFLICT DO NOTHING
