-- What travels in a digest ends as the delivery that carries it.
UPDATE notifications_delivery d
SET state = r.state, finished_at = now(), last_error = r.error
FROM unnest(
    %(notifications)s::bigint[], %(viewers)s::bigint[], %(channels)s::text[], %(endpoints)s::bigint[],
    %(states)s::text[], %(errors)s::text[]
) AS r (notification_id, viewer_id, channel, endpoint_id, state, error)
WHERE d.notification_id = r.notification_id
  AND d.viewer_id = r.viewer_id
  AND d.channel = r.channel
  AND d.endpoint_id = r.endpoint_id
