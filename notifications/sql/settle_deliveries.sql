-- What became of deliveries, for those alone that are still held under their token; answers which ones they were, and
-- whether any host has failed of late.
UPDATE notifications_delivery d
SET state = r.state,
    attempts = d.attempts - r.uncounted,
    next_attempt_at = now() + make_interval(secs => r.delay),
    lease_token = NULL,
    last_error = r.error,
    finished_at = CASE WHEN r.state <> 'open' THEN now() END
FROM unnest(
    %(notifications)s::bigint[], %(viewers)s::bigint[], %(channels)s::text[], %(endpoints)s::bigint[],
    %(tokens)s::uuid[], %(states)s::text[], %(delays)s::float8[], %(uncounted)s::int[], %(errors)s::text[]
) AS r (notification_id, viewer_id, channel, endpoint_id, token, state, delay, uncounted, error)
WHERE d.notification_id = r.notification_id
  AND d.viewer_id = r.viewer_id
  AND d.channel = r.channel
  AND d.endpoint_id = r.endpoint_id
  AND d.lease_token = r.token
RETURNING d.notification_id, d.viewer_id, d.channel, d.endpoint_id, EXISTS (SELECT FROM notifications_circuit)
