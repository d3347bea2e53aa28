-- A delivery for each endpoint of the viewers [first, last) who are to be told of a notification.
-- Which, when and whether it leaves at all is decided here, for each viewer by what they prefer.
INSERT INTO notifications_delivery (
    notification_id, viewer_id, channel, endpoint_id, lane, state, attempts, next_attempt_at, created_at, finished_at,
    last_error, waits, unless_seen, capped_on
)
SELECT
    n.id, e.viewer_id, e.channel, e.id,
    COALESCE(decided.lane, %(lane)s),
    COALESCE(decided.state, 'open'),
    0,
    -- While its host's circuit is open it would only be put off again by the claim. (Within the second after that, at
    -- another moment for each shard: so two that are made at once need not wait for the same page of the index.)
    CASE decided.state
        WHEN 'held' THEN decided.due_at
        ELSE GREATEST(COALESCE(decided.due_at, now()), circuit.retry_at + (now() - date_trunc('second', now())))
    END,
    now(),
    CASE WHEN decided.state IN ('expired', 'suppressed') THEN now() END,
    COALESCE(decided.reason, ''),
    COALESCE(decided.waits, FALSE),
    COALESCE(decided.unless_seen, FALSE),
    decided.capped_on
FROM notifications_notification n
CROSS JOIN LATERAL /* told(n) */ one
JOIN notifications_endpoint e ON e.viewer_id = one.viewer_id AND e.viewer_id >= %(first)s AND e.viewer_id < %(last)s
LEFT JOIN notifications_circuit circuit ON circuit.host = e.host
LEFT JOIN notifications_preference pref
    ON pref.viewer_id = e.viewer_id AND pref.viewer_id >= %(first)s AND pref.viewer_id < %(last)s
LEFT JOIN LATERAL (
    /* decision(e, n, pref) */
) decided ON TRUE
WHERE n.id = %(notification)s
AND NOT n.recalled
AND (n.expires_at IS NULL OR n.expires_at > now())
AND /* takes(e, n, pref) */
ORDER BY e.viewer_id, e.id  -- in the order of the index, which is then filled from left to right
