-- What became of deliveries, for those alone that are still held under their token; answers their places, and whether
-- any host has failed of late.
UPDATE notifications_delivery d
SET state = r.state,
    attempts = d.attempts - r.uncounted,
    next_attempt_at = now() + make_interval(secs => r.delay),
    lease_token = NULL,
    last_error = r.error,
    finished_at = CASE WHEN r.state <> 'open' THEN now() END
FROM jsonb_to_recordset(%(settled)s::jsonb) AS r (
    place int, notification_id bigint, viewer_id bigint, channel text, endpoint_id bigint,
    token uuid, state text, delay float8, uncounted int, error text
)
WHERE d.notification_id = r.notification_id
  AND d.viewer_id = r.viewer_id
  AND d.channel = r.channel
  AND d.endpoint_id = r.endpoint_id
  AND d.lease_token = r.token
RETURNING r.place, EXISTS (SELECT FROM notifications_circuit)
