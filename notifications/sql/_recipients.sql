-- recipients(e, n, pref)
-- THE SEAM: who gets notification n on which channel, as endpoints e; pref is null where a viewer never chose.
e.disabled_at IS NULL
AND EXISTS (
    SELECT
    FROM notifications_posting p
    JOIN /* interests() */ s ON s.topic_id = p.topic_id
    WHERE p.notification_id = n.id AND s.viewer_id = e.viewer_id AND /* reaches(n, p, s) */
      AND s.viewer_id >= %(first)s AND s.viewer_id < %(last)s  -- as e: else all interests are read for a few of them
)
AND NOT EXISTS (SELECT FROM accounts_user u WHERE u.id = e.viewer_id AND NOT u.is_active)
AND CASE WHEN pref.viewer_id IS NULL THEN TRUE ELSE /* wanted(e, n, pref) */ END
