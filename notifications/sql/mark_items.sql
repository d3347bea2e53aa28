-- Keeps what the viewer says of single notifications, those alone that they can see; answers which ones changed.
-- Of `is_read` and `is_dismissed`, what is null stays as it is. It is said of what the card shows: its newest state, even if
-- that was posted as news for others alone.
WITH interests AS MATERIALIZED /* mine() */
INSERT INTO notifications_readitem AS item (viewer_id, notification_id, revision, is_read, is_dismissed)
SELECT %(viewer_id)s, n.id, n.revision, said.is_read, said.is_dismissed
FROM notifications_notification n
CROSS JOIN LATERAL /* standing(n) */ seen
CROSS JOIN LATERAL (
    SELECT
        COALESCE(%(is_read)s::boolean, seen.read) AS is_read,
        COALESCE(%(is_dismissed)s::boolean, seen.dismissed) AS is_dismissed
) said
WHERE n.id = ANY (%(ids)s)
  AND (said.is_read <> seen.read OR said.is_dismissed <> seen.dismissed)
FOR KEY SHARE OF n  -- it is not forgotten meanwhile
ON CONFLICT (viewer_id, notification_id) DO UPDATE
SET revision = EXCLUDED.revision,
    is_read = EXCLUDED.is_read,
    is_dismissed = EXCLUDED.is_dismissed
RETURNING notification_id, revision, is_read, is_dismissed
