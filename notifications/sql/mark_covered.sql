-- Takes back that notifications up to the positions were marked as unread; answers which ones.
WITH interests AS MATERIALIZED /* mine() */
UPDATE notifications_readitem own
SET is_read = TRUE
FROM notifications_notification n
CROSS JOIN LATERAL /* standing(n) */ seen
WHERE own.viewer_id = %(viewer_id)s
  AND NOT own.is_read
  AND n.id = own.notification_id
  AND own.revision >= seen.revision
  AND EXISTS (
      SELECT FROM jsonb_each_text(seen.positions) AS place (topic, seq)
      WHERE place.seq::bigint <= (%(positions)s::jsonb ->> place.topic)::bigint
  )
RETURNING own.notification_id, own.revision, own.is_read, own.is_dismissed
